package causal_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func withPast(previous int64, parents ...causal.EventID) func(*causal.EventParams) {
	return func(p *causal.EventParams) {
		p.Parents, p.PreviousClock = append([]causal.EventID{}, parents...), previous
	}
}

func TestEventPast(t *testing.T) {
	const uuid = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
	given := []causal.EventID{causal.EventID(strings.ToUpper(uuid)), eventtest.ID(9), causal.EventID(strings.ToLower(string(eventtest.ID(4)))), eventtest.ID(9)}
	p := eventtest.Params(10)
	p.Parents, p.PreviousClock = slices.Clone(given), 7
	e, err := causal.NewEvent(p)
	require.NoError(t, err)
	require.Equal(t, given, p.Parents, "the caller's slice stays as it is")
	p.Parents[1] = eventtest.ID(1)
	want := []causal.EventID{uuid, eventtest.ID(4), eventtest.ID(9)}
	require.Equal(t, want, e.Parents(), "sorted, each once, in canonical case")
	e.Parents()[0] = eventtest.ID(1)
	require.Equal(t, want, e.Parents(), "the result is a copy")
	require.EqualValues(t, 7, e.PreviousClock())
	require.True(t, e.IsStamped())

	text := string(must(e.MarshalJSON()))
	require.Contains(t, text, `,"data_tier":0,"parents":["`+uuid+`","TEST0000000000000000000004","TEST0000000000000000000009"],"previous_clock":7}`)
	require.True(t, e.Equal(decode(t, text)))

	first := eventtest.New(t, 10, withPast(0))
	require.True(t, first.IsStamped())
	require.NotNil(t, first.Parents(), "nothing came before")
	require.Empty(t, first.Parents())
	require.Contains(t, string(must(first.MarshalJSON())), `"parents":[],"previous_clock":0}`)
	require.True(t, first.Equal(decode(t, string(must(first.MarshalJSON())))))

	plain := eventtest.New(t, 10)
	require.False(t, plain.IsStamped())
	require.Nil(t, plain.Parents())
	require.Zero(t, plain.PreviousClock())
	require.NotContains(t, string(must(plain.MarshalJSON())), "parents")
	require.False(t, causal.Event{}.IsStamped())
	require.Nil(t, causal.Event{}.Parents())

	different := []causal.Event{
		plain, first, e, eventtest.New(t, 10, withPast(6, want...)), eventtest.New(t, 10, withPast(7, want[1:]...)),
		eventtest.New(t, 10, withPast(7, want[0], want[1], eventtest.ID(8))),
	}
	for i, a := range different {
		for j, b := range different {
			require.Equal(t, i == j, a.Equal(b), "%d and %d", i, j)
		}
	}
}

func TestNewEventRefusesPast(t *testing.T) {
	many := make([]causal.EventID, 16_385)
	for i := range many {
		many[i] = eventtest.ID(100 + i)
	}
	_ = eventtest.New(t, 10, withPast(0, many[:16_384]...))
	for want, change := range map[string]func(*causal.EventParams){
		"parents must have at most 16384 events":                                                 withPast(0, many...),
		"parents has an item that must be 26 ASCII letters or digits, or a UUID with hyphens":    withPast(0, "short"),
		"parents must not have the event itself":                                                 withPast(0, eventtest.ID(10)),
		"parents is missing":                                                                     func(p *causal.EventParams) { p.PreviousClock = 3 },
		"previous_clock must not be negative":                                                    withPast(-1),
		"previous_clock must be less than lamport_clock":                                         withPast(10),
		"parents must not have the event itself; previous_clock must be less than lamport_clock": withPast(11, eventtest.ID(10)),
	} {
		p := eventtest.Params(10)
		change(&p)
		_, err := causal.NewEvent(p)
		requireFault(t, err, want)
	}
	p := eventtest.Params(0)
	p.Parents = []causal.EventID{}
	_, err := causal.NewEvent(p)
	requireFault(t, err, "previous_clock must be less than lamport_clock")
	p.LamportClock, p.DataTier, p.Parents = 1, 9, []causal.EventID{p.ID}
	_, err = causal.NewEvent(p)
	requireFault(t, err, "data_tier must be at most 4; parents must not have the event itself")
}

func TestDecodeRefusesPast(t *testing.T) {
	a, b := string(eventtest.ID(1)), string(eventtest.ID(2))
	const itself = "01HZXW5B2Q3R4S5T6V7W8X9Y0Z"
	for want, test := range map[string]map[string]string{
		"previous_clock is missing":                 {"parents": `[]`},
		"parents is missing":                        {"previous_clock": `0`},
		"parents must be an array":                  {"parents": `null`, "previous_clock": `0`},
		"previous_clock must not be null":           {"parents": `[]`, "previous_clock": `null`},
		"parents has an item that must be a string": {"parents": `[1]`, "previous_clock": `0`},
		"parents has an item that must be 26 ASCII letters or digits, or a UUID with hyphens": {"parents": `[""]`, "previous_clock": `0`},
		"parents must be in ascending order without duplicates":                               {"parents": `["` + b + `","` + a + `"]`, "previous_clock": `0`},
		"parents must not have the event itself":                                              {"parents": `["` + itself + `"]`, "previous_clock": `0`},
		"previous_clock must not be negative":                                                 {"parents": `[]`, "previous_clock": `-1`},
		"previous_clock must be less than lamport_clock":                                      {"parents": `[]`, "previous_clock": `5`},
		"previous_clock does not fit in 64 bits":                                              {"parents": `[]`, "previous_clock": `9223372036854775808`},
	} {
		var e causal.Event
		requireFault(t, e.UnmarshalJSON([]byte(wire(test))), want)
	}
	var e causal.Event
	twice := wire(map[string]string{"parents": `["` + a + `","` + strings.ToLower(a) + `"]`, "previous_clock": `0`})
	requireFault(t, e.UnmarshalJSON([]byte(twice)), "parents must be in ascending order without duplicates")
	lower := decode(t, wire(map[string]string{"parents": `["` + strings.ToLower(a) + `"]`, "previous_clock": `4`}))
	require.Equal(t, []causal.EventID{eventtest.ID(1)}, lower.Parents(), "case does not matter")
	clockless := wire(map[string]string{"lamport_clock": `"x"`, "parents": `[]`, "previous_clock": `4`})
	requireFault(t, e.UnmarshalJSON([]byte(clockless)), "lamport_clock must be an integer without fraction or exponent")
}
