"""A pytest plugin: a skipped test is a failure, unless it says that it needs another system than this one.

python -m pytest -p tools.nothing_skipped
"""

import pytest

# What a test may say that cannot be run here: everything else can be installed.
ALLOWED = ("Skipped: needs macOS", "Skipped: needs Windows")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = report.longrepr
        if not reason.startswith(ALLOWED):
            report.outcome = "failed"
            report.longrepr = f"skipped where nothing may be: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """The same for a whole module, as `pytest.importorskip` skips it."""
    report = yield
    if report.skipped and not report.longrepr[2].startswith(ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr[2]}"
    return report
