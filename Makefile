# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= out/demo
IMAGES := examples/images

.PHONY: demo test test-slow test-vllm lint format bench bench-record install lock clean

install: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --python $(BIN)/python --requirement requirements.lock
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --editable .
	touch $(STAMP)

demo: $(STAMP)  ## a true defect found, a good part passed, one part with an unknown defect: reports in out/demo
	$(BIN)/agent inspect --image $(IMAGES)/bare_pcb/open_track.jpg --template $(IMAGES)/bare_pcb/good.jpg \
		--product bare_pcb --out $(OUT)
	$(BIN)/agent inspect --image $(IMAGES)/machined_flange/good_shifted.jpg \
		--template $(IMAGES)/machined_flange/good.jpg --product machined_flange --out $(OUT)
	$(BIN)/agent inspect --image $(IMAGES)/blister_pack/missing_tablet.jpg \
		--template $(IMAGES)/blister_pack/good.jpg --product blister_pack --out $(OUT)
	@echo; echo "Reports with pictures: $(OUT)/*/report.html"

test: $(STAMP) lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-vllm: $(STAMP)  ## the whole graph against a real vLLM server on a small random model
	$(BIN)/python -m pytest -m vllm tests/vllm

test-slow: $(STAMP)  ## shapes and parameter counts at the size of the papers' CLIP; 3 GB of memory, minutes
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(BIN)/python benchmarks/inspect.py

bench-record: $(STAMP)  ## run every benchmark and put what it prints into docs/benchmarks.md
	$(BIN)/python benchmarks/record.py

lock:  ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.11 --group dev --no-header --no-annotate \
		--output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
