# `make run` starts the registry and the exchange; `make test` checks everything. Both set up what they need.
# ARGS go to the command: make run ARGS="--port 8080", make test ARGS="--only pytest".

.PHONY: help run test lock clean

help:
	@echo "make run    set up and start CARAT (state in .state; Ctrl-C stops it)"
	@echo "make test   set up what the tests need and run all of them"
	@echo "make lock   choose and lock the dependencies again (UPGRADE=1 takes newer ones)"
	@echo "make clean  remove the environments and build products; .state stays"

run:
	@scripts/bootstrap run
	@exec .venv/bin/carat up $(ARGS)

test:
	@scripts/bootstrap test
	@exec .venv/bin/python scripts/check $(ARGS)

lock:
	@scripts/bootstrap run
	@scripts/lock $(if $(UPGRADE),--upgrade)

clean:
	rm -rf .venv .build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
