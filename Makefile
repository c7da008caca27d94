# make demo      try it: a throwaway vault, a made-up household's papers, three questions, and the page
# make install   set it up in .venv, and link the command strongroom into ~/.local/bin
#                EXTRAS="llm ocr" adds a model that writes (compiled here, 5 to 10 minutes) and the reading of scans;
#                sentence-transformers, chroma and unstructured are other engines in place of the default ones
#                TORCH=cpu takes the torch for processors alone for the first of these, which saves gigabytes
# make test      set it up with what the tests need, and pass them       (ARGS="tests/vault -k slots" for some)
# make test-card set up another environment, with those engines, in .venv-card, and pass their tests
# make torture   the long forms of tests/torture, hours of it, with their results into docs/threat-model.md
# make check     ruff and mypy
# make bench     measure, and write docs/benchmarks.md
# make lock      maintainers: pin the newest versions
# make sbom      maintainers: write the list of all parts anew, from what is pinned

VENV ?= .venv
BIN ?= $(HOME)/.local/bin
ARGS ?=
EXTRAS ?=
PYTHON ?=
TORCH ?=
export PYTHON TORCH

needs = requirements.txt pyproject.toml tools/environment.sh

.PHONY: help install uninstall demo test test-card torture check bench reference lock sbom clean

help:
	@sed -n 's/^# //p;/^$$/q' Makefile

$(VENV)/.installed: $(needs)
	sh tools/environment.sh $(VENV)
	@touch $@

$(VENV)/.with-%: requirements-%.txt $(VENV)/.installed
	sh tools/environment.sh $(VENV) $*
	@touch $@

$(VENV)/.tested: $(needs) requirements-llm.txt requirements-ocr.txt requirements-test.txt
	sh tools/environment.sh $(VENV) llm ocr test
	@touch $(VENV)/.installed $(VENV)/.with-llm $(VENV)/.with-ocr $@

demo: $(VENV)/.installed
	$(VENV)/bin/strongroom demo $(ARGS)

install: $(VENV)/.installed $(EXTRAS:%=$(VENV)/.with-%)
	@mkdir -p "$(BIN)"
	@ln -sf "$(abspath $(VENV))/bin/strongroom" "$(BIN)/strongroom"
	@echo "strongroom is in $(BIN)"
	@case ":$$PATH:" in *":$(BIN):"*) ;; *) echo "hint: add it to your PATH, or run $(BIN)/strongroom" ;; esac

uninstall:
	rm -f "$(BIN)/strongroom"
	rm -rf $(VENV) $(VENV)-card

test: $(VENV)/.tested
	$(VENV)/bin/python -m pytest $(ARGS)

# In an environment of its own: the other tests are to see what most people have. Nothing here needs a graphics card.
$(VENV)-card/.tested: $(needs) requirements-test.txt requirements-card.txt tools/torch-cpu.txt
	TORCH="$(or $(TORCH),cpu)" sh tools/environment.sh $(VENV)-card test card
	@touch $@

test-card: $(VENV)-card/.tested
	$(VENV)-card/bin/python -c "import chromadb, sentence_transformers, unstructured"
	$(VENV)-card/bin/python -m pytest -p tools.nothing_skipped tests/card $(ARGS)

torture: $(VENV)/.tested
	$(VENV)/bin/python -m pytest tests/torture --long --record $(ARGS)

check: $(VENV)/.tested
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy

bench: $(VENV)/.tested
	$(VENV)/bin/python -m bench $(ARGS)

# docs/reference, from the parser and the values themselves; a test holds them together
reference: $(VENV)/.installed
	$(VENV)/bin/python tools/reference.py

lock:
	sh tools/lock.sh

# engine/sbom.cdx.json; a test holds it and the pins together
sbom: $(VENV)/.tested
	$(VENV)/bin/python tools/sbom.py

clean:
	rm -rf $(VENV) $(VENV)-card build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
