# make demo   the whole laboratory on the embedded sample, in minutes
# make play   a game against the demo's PGN model
# make test   all tests        make check   format, lint, types, room borders
# make bench-data   data preparation beside its public peers        make bench-train   training and decoding

VENV   ?= .venv
PYTHON ?= python3
DEMO   ?= demo
# More `--set section.key=value` for both trainings of the demo, and the size of its evaluation.
DEMO_SET       ?=
DEMO_POSITIONS ?= 500
PYTEST_FLAGS   ?=
# Where benchmarks write, on how many games, and more options.
BENCH       ?= bench
BENCH_GAMES ?= 100000
BENCH_FLAGS ?=

BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SAMPLE := data_prep/sample/sample.pgn.zst

.PHONY: demo test check format play bench-data bench-train clean
.DELETE_ON_ERROR:

demo: $(DEMO)/report/index.html
	@echo
	@cat $(DEMO)/report/table.txt
	@echo "Report: $(DEMO)/report/index.html"
	@echo "Play:   make play        (or: $(BIN)/chesslm play --model $(DEMO)/runs/english)"

play: $(DEMO)/runs/pgn/run.json
	$(BIN)/chesslm play --model $(DEMO)/runs/pgn

test: $(READY)
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST_FLAGS)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-data: $(READY)
	$(BIN)/python -m benchmarks.bench_data --out $(BENCH) --games $(BENCH_GAMES) $(BENCH_FLAGS)

# Training and decoding beside Hugging Face models, on the demo's prepared sample; needs `pip install transformers`.
bench-train: $(DEMO)/.prepared
	$(BIN)/python -m benchmarks.bench_train $(DEMO)/data --out $(BENCH)

clean:
	rm -rf $(VENV) demo bench build dist *.egg-info

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

# A stamp of our own: the folder's own files stand before the last notation is done.
$(DEMO)/.prepared: $(SAMPLE) | $(READY)
	$(BIN)/chesslm data prepare $(SAMPLE) --out $(DEMO)/data --notation pgn --notation english
	touch $@

$(DEMO)/runs/%/run.json: configs/demo-%.toml $(DEMO)/.prepared
	$(BIN)/chesslm train $< --set data.games=$(DEMO)/data --set run.out=$(DEMO)/runs/$* $(DEMO_SET)
	touch $@

$(DEMO)/legality.json: $(DEMO)/runs/pgn/run.json $(DEMO)/runs/english/run.json
	$(BIN)/chesslm eval legality --model $(DEMO)/runs/pgn --model $(DEMO)/runs/english --controls \
	  --games $(DEMO)/data --positions $(DEMO_POSITIONS) --seed 0 --json $@ --force

$(DEMO)/likelihood.json: $(DEMO)/runs/pgn/run.json $(DEMO)/runs/english/run.json
	$(BIN)/chesslm eval likelihood --model $(DEMO)/runs/pgn --model $(DEMO)/runs/english \
	  --games $(DEMO)/data --positions $(DEMO_POSITIONS) --seed 0 --json $@ --force

$(DEMO)/report/index.html: $(DEMO)/legality.json $(DEMO)/likelihood.json
	$(BIN)/chesslm report $(DEMO)/runs/pgn $(DEMO)/runs/english $^ --out $(DEMO)/report
