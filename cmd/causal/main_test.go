package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what the command prints into the scripts and docs/inspect.md")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"causal": main})
}
