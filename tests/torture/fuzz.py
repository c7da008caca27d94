"""Coverage-guided fuzzing of one target, in a process of its own (atheris, libFuzzer).

    python -m tests.torture.fuzz TARGET FOLDER [options of libFuzzer]

FOLDER holds the inputs to begin with, and takes those that reach something new.
"""

import sys

import atheris


def main() -> None:
    with atheris.instrument_imports(include=["ingest", "generation", "engine", "vault", "ui"]):
        from tests.torture import targets

        for each in (
            "mail",
            "mbox",
            "web",
            "rtf",
            "doc",
            "ppt",
            "msg",
            "ofx",
            "tables",
            "text",
            "docx",
            "pptx",
            "odf",
            "epub",
            "emlx",
        ):
            __import__(f"ingest.{each}")
        # What targets import when they are called: here, or coverage would not lead into it.
        for each in ("engine.advisories", "engine.writer_wire", "generation.gguf", "vault.manifest", "vault.purge_list"):
            __import__(each)
    target, _ = targets.TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
