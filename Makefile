.DEFAULT_GOAL := help
.PHONY: help setup run paper test test-launchers browser test-browser lint report smoke bench verification-power scale chaos wandb-sync docs docs-serve clean

# Python 3.11 or 3.12; override with `make PYTHON=/path/to/python setup`
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
BIN := .venv/bin
READY := .venv/.ready

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the pinned packages (the other targets do it by themselves)

$(READY): pyproject.toml constraints.txt
	@echo "setting up .venv with the pinned packages (a few minutes the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: $(READY) ## VLM-CaR, the sparse reward and a simulated VLM judge on MiniGrid and Procgen, three seeds, and the report
	@echo "at any time, 'make report' in another terminal draws what there is so far"
	$(BIN)/python run.py -m env=minigrid,procgen seed=0,1,2
	$(BIN)/python -m vlmcar.report

paper: $(READY) ## the paper's MiniGrid environments, all methods, five seeds, and their figures: hours; says first how many
	$(BIN)/python -m vlmcar.paper

report: $(READY) ## figures and tables of everything under results/
	$(BIN)/python -m vlmcar.report

wandb-sync: $(READY) ## send W&B what was kept offline under results/; what was sent already is skipped
	$(BIN)/python -m vlmcar.record.wandb_sync

test: $(READY) ## all tests
	$(BIN)/python -m pytest

test-launchers: $(READY) ## sweeps through joblib, submitit and a ray cluster, with jobs and a node killed: minutes
	$(BIN)/python -m pytest -n 0 -m 'cluster or not cluster' tests/launchers

browser: $(READY) ## what test-browser needs: playwright and, as root on Debian, chromium
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev,browser]'
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium)

test-browser: browser ## the report's pages in Chromium
	$(BIN)/python -m pytest -n 0 -m browser

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

smoke: $(READY) ## the main job in small, from generation to report, in a folder of its own
	rm -rf results/smoke
	$(BIN)/python run.py -m experiment=smoke env=minigrid/doorkey_5x5,procgen/maze method=vlmcar,sparse,direct_vlm,oracle seed=0
	$(BIN)/python -m vlmcar.report --results results/smoke --out results/smoke/report
	test -s results/smoke/report/learning_curves.png

bench: $(READY) ## steps per second of vlmcar and sparse, interleaved; what judging and the sandbox take
	$(BIN)/python -m vlmcar.bench
	$(BIN)/python -m vlmcar.bench_judges
	$(BIN)/python -m vlmcar.bench_sandbox

verification-power: $(READY) ## which of 437 programs, right and wrong, verification accepts: about 40 minutes
	$(BIN)/python -m vlmcar.power

scale: $(READY) ## 10,000 fake runs by up to 200 writers through the store and record code: about 20 minutes, 5 GB of disk for a while
	$(BIN)/python -m vlmcar.scale --growth 10 50 200 10 50 200 --report

chaos: $(READY) ## a sweep of 12 runs killed at random 100 times, against the same sweep left alone: at most 15 minutes
	$(BIN)/python -m vlmcar.chaos

docs: $(READY) ## the documentation, in site/: open site/index.html, or see make docs-serve
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-serve: $(READY) ## the documentation as it is written, with search, on this machine only
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

clean: ## remove caches and smoke results; keeps .venv and results/runs
	rm -rf results/smoke site build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
