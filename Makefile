# One command per check, the same on a laptop and in CI. Each target makes the virtual environment
# it needs (.venv-*, with pip only) and keeps it until pyproject.toml or constraints.txt changes.

PYTHON ?= python3
# Every install takes the versions the tests were run with; pyproject.toml itself keeps ranges.
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Runs on the CPU where there is no GPU. Where it has no wheel: make test ORT=onnxruntime
ORT ?= onnxruntime-gpu
FOLDERS = dtb_runtime models export cli
# Folders are listed beside their files, so that a deleted file is noticed too.
SOURCES := $(shell find $(FOLDERS) -not -name '__pycache__' -not -name '*.pyc') README.md LICENSE
EXAMPLE = examples/sub-example_atlas-tcp434_connectome.npy

.DELETE_ON_ERROR:
.PHONY: help demo test lint types wheel results bench interventions serving browser clean

help:
	@echo "make demo     install the lean [cpu] extra and forecast an example participant"
	@echo "make test     run the tests"
	@echo "make lint     ruff and the import contracts"
	@echo "make types    mypy --strict on the built wheel"
	@echo "make wheel    build dist/*.whl and the source archive"
	@echo "make results  run every evaluation (hours) and write docs/RESULTS.md"
	@echo "make bench    measure how fast everything is and write docs/PERFORMANCE.md"
	@echo "make interventions  measure what plans do and write docs/INTERVENTIONS.md"
	@echo "make serving  measure the service under load and write docs/SERVING.md"
	@echo "make browser  look at a report in a browser (needs a Chromium)"
	@echo "make clean    remove the virtual environments and what was built"

demo: .venv-demo/installed
	.venv-demo/bin/dtb-run predict $(EXAMPLE)
	.venv-demo/bin/dtb-run demo --out .venv-demo/dtb-demo --force

# A process for each core, each with one thread; what a file sets up is set up once. Bytecode is kept,
# whatever the environment says: programs that tests start would compile every module again.
test: .venv-test/ready
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= .venv-test/bin/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

lint: .venv-lint/ready
	.venv-lint/bin/ruff check .
	.venv-lint/bin/ruff format --check .
	.venv-lint/bin/lint-imports

# From inside the environment's folder, so that mypy reads the installed wheel, not the checkout.
types: .venv-types/installed
	cd .venv-types && bin/python -m mypy --config-file ../pyproject.toml \
		--cache-dir ../.mypy_cache -p dtb_runtime -p dtb_models -p dtb_export -p dtb_cli

wheel: dist/built

# Needs the data folder: DTB_SHARED, or ../shared. What is finished stays in runs/results, so it goes
# on after a kill. One part: make results ARGS="--only tcp_calibrated". Page only: ARGS=--render
results: .venv-test/ready
	.venv-test/bin/python benchmarks/results.py $(ARGS)

# On a machine that does nothing else meanwhile. One part: make bench ARGS="--only person". Page only:
# ARGS=--render
bench: .venv-test/ready
	.venv-test/bin/python benchmarks/speed.py $(ARGS)

# The real connectomes need the data folder, as for results. What is finished stays in
# runs/interventions. One part: make interventions ARGS="--only direction". Page only: ARGS=--render
interventions: .venv-test/ready
	.venv-test/bin/python benchmarks/interventions.py $(ARGS)

# On a machine that does nothing else meanwhile. One part: make serving ARGS="--only load"
serving: .venv-test/ready
	.venv-test/bin/python benchmarks/serving.py $(ARGS)

# Adds playwright and axe to the tests' environment; tests that need a browser are skipped otherwise.
browser: .venv-test/ready
	.venv-test/bin/python $(PIP_INSTALL) --editable ".[browser]"
	.venv-test/bin/python -m pytest tests/runtime/test_report_in_browser.py $(ARGS)

clean:
	rm -rf .venv-demo .venv-test .venv-lint .venv-types .venv-wheel build dist *.egg-info

# A fresh environment; a half-made one has no "created" and is made again.
.venv-%/created: pyproject.toml constraints.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	touch $@

# Not editable: the demo runs what a wheel would hold. build/ would keep files deleted since.
.venv-demo/installed: .venv-demo/created $(SOURCES)
	rm -rf build
	.venv-demo/bin/python $(PIP_INSTALL) ".[cpu]"
	touch $@

# PyTorch first and alone: where a CPU build of the pinned version is at hand, pip takes it, and
# nothing that comes later can ask for another version.
.venv-test/ready: .venv-test/created
	.venv-test/bin/python $(PIP_INSTALL) torch
	.venv-test/bin/python $(PIP_INSTALL) $(ORT)
	.venv-test/bin/python $(PIP_INSTALL) --editable ".[torch,imaging,evaluate,cohort,cluster,figures,bids,signing,serve,report,test]"
	touch $@

.venv-lint/ready: .venv-lint/created
	.venv-lint/bin/python $(PIP_INSTALL) ruff import-linter
	.venv-lint/bin/python $(PIP_INSTALL) --no-deps --editable .
	touch $@

.venv-types/ready: .venv-types/created
	.venv-types/bin/python $(PIP_INSTALL) torch
	touch $@

.venv-types/installed: .venv-types/ready dist/built
	.venv-types/bin/python $(PIP_INSTALL) "$$(echo dist/*.whl)[cpu,torch,imaging,evaluate,cohort,cluster,figures,bids,signing,serve,report,lint]"
	.venv-types/bin/python $(PIP_INSTALL) --force-reinstall --no-deps dist/*.whl
	touch $@

.venv-wheel/ready: .venv-wheel/created
	.venv-wheel/bin/python $(PIP_INSTALL) build
	touch $@

# The wheel is built from the source archive, so the archive is known to be whole.
dist/built: .venv-wheel/ready $(SOURCES)
	rm -rf dist
	.venv-wheel/bin/python -m build --quiet --outdir dist
	touch $@
