package causalpg_test

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal/internal/adaptertest"
)

const (
	decideSchema = "CAUSALPG_DECIDE_SCHEMA"
	decideClient = "CAUSALPG_DECIDE_CLIENT"
)

// TestDecideChild is a process of TestLinearizable, and does nothing otherwise.
func TestDecideChild(t *testing.T) {
	if schema := os.Getenv(decideSchema); schema != "" {
		adaptertest.Decide(t, openIn(t, schema), adaptertest.ChildNumber(t, decideClient))
	}
}

// isLinearizable looks for an order of the operations, each between its call
// and its return, that explains all outcomes (porcupine; Lowe, "Testing for
// Linearizability", 2017).
func isLinearizable(all []adaptertest.Operation) porcupine.CheckResult {
	var history []porcupine.Operation
	for _, o := range all {
		history = append(history, porcupine.Operation{ClientId: o.Client, Input: o, Call: o.Call, Return: o.Return})
	}
	return porcupine.CheckOperationsTimeout(porcupine.Model{
		Init: func() any { return "" },
		Step: func(log, input, _ any) (bool, any) { return input.(adaptertest.Operation).Step(log.(string)) },
	}, history, time.Minute)
}

// The saves of eight processes, with conditions and without, and the heads they
// see, are explained by one order of all calls.
func TestLinearizable(t *testing.T) {
	schema := newSchema(t)
	var processes []*exec.Cmd
	for client := range 8 {
		processes = append(processes, child("TestDecideChild", decideSchema+"="+schema, decideClient+"="+strconv.Itoa(client)))
	}
	all := adaptertest.Decided(t, processes)
	refused, saved := 0, 0
	for _, o := range all {
		if o.Refused {
			refused++
		} else if o.IsConditional {
			saved++
		}
	}
	require.Greater(t, refused, 10)
	require.Greater(t, saved, 10)
	require.Equal(t, porcupine.Ok, isLinearizable(all))

	for i, o := range all { // the check detects a single wrong outcome
		if o.Refused {
			all[i].Refused, all[i].Before, all[i].Head = false, o.After, o.After+1
			break
		}
	}
	require.Equal(t, porcupine.Illegal, isLinearizable(all))
}
