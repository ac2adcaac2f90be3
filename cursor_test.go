package causal_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
)

func TestCursorText(t *testing.T) {
	log := [16]byte{1, 2, 3}
	for _, c := range []causal.Cursor{
		{}, causal.NewCursor(log, 0), causal.NewCursor(log, 1), causal.NewCursor(log, math.MaxUint64), causal.NewCursor([16]byte{}, 1),
	} {
		data, err := json.Marshal(c)
		require.NoError(t, err)
		var again causal.Cursor
		require.NoError(t, json.Unmarshal(data, &again))
		require.Equal(t, c, again)
		text, err := c.MarshalText()
		require.NoError(t, err)
		require.Equal(t, c.String(), string(text))
		require.LessOrEqual(t, len(text), 39)
	}
	require.Empty(t, causal.Cursor{}.String())
	require.Equal(t, "AQECAwAAAAAAAAAAAAAAAAAAAAAAAAAAB4frEKw", causal.NewCursor(log, 7).String(), "a text of version 1 stays readable")
}

func TestCursorRefusesDamagedText(t *testing.T) {
	good := causal.NewCursor([16]byte{1, 2, 3}, 7)
	text := good.String()
	damaged := []string{" ", text + "A", text[1:], text + "=", " " + text, strings.ToLower(text), strings.Repeat("A", len(text))}
	for i := range text { // any one character
		for _, c := range "A_9+\n" {
			if changed := text[:i] + string(c) + text[i+1:]; changed != text {
				damaged = append(damaged, changed)
			}
		}
	}
	for _, bad := range damaged {
		c := good
		require.ErrorIs(t, c.UnmarshalText([]byte(bad)), causal.ErrInvalidCursor, bad)
		require.Equal(t, good, c, "the target has changed")
	}
}

func TestCursorPositionIn(t *testing.T) {
	log := [16]byte{9}
	for _, test := range []struct {
		c        causal.Cursor
		head, at uint64
		ok       bool
	}{
		{c: causal.Cursor{}, ok: true},
		{c: causal.Cursor{}, head: 5, ok: true},
		{c: causal.NewCursor(log, 0), head: 5, ok: true},
		{c: causal.NewCursor(log, 5), head: 5, at: 5, ok: true},
		{c: causal.NewCursor(log, 6), head: 5},
		{c: causal.NewCursor([16]byte{8}, 1), head: 5},
		{c: causal.NewCursor([16]byte{}, 1), head: 5},
	} {
		t.Run(fmt.Sprintf("%q before %d", test.c, test.head), func(t *testing.T) {
			at, err := test.c.PositionIn(log, test.head)
			require.Equal(t, test.at, at)
			if test.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, causal.ErrInvalidCursor)
			}
		})
	}
}
