"""The setting that lets the engine use a graphics card: from its next start on, and said where what holds it is said."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from engine import card
from engine.engine import Engine
from engine.keeping import settings_set
from vault.keys import FLOOR

ROOT = Path(__file__).resolve().parents[2]


def told(folder):
    """What is not held of an engine that begins now."""
    script = f"""
        import json, sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from engine.serving import engine_here
        place = Path({str(folder)!r})
        with engine_here(place / "vault", place / "state", ()) as engine:
            print(json.dumps(engine.held["engine"]["missing"]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_card_is_the_engines_from_its_next_start_on_and_not_longer(tmp_path, zygote, embedder):
    (tmp_path / "state").mkdir(mode=0o700)
    engine = Engine(tmp_path / "vault", tmp_path / "state", zygote, cost=FLOOR, load=lambda: embedder)
    engine.create("nine quiet otters downstream")
    assert not card.allowed(tmp_path / "state")
    assert not any("graphics" in each for each in told(tmp_path))
    settings_set(engine, "embedding_gpu", value=True)
    assert card.allowed(tmp_path / "state")
    assert "what the engine does with the graphics card, as you chose" in told(tmp_path)
    settings_set(engine, "embedding_gpu", value=False)
    assert not any("graphics" in each for each in told(tmp_path))
    engine.close()
