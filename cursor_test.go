package causal_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spec-kitty/causal"
	"github.com/spec-kitty/causal/internal/eventtest"
)

func TestCursorText(t *testing.T) {
	log := [16]byte{1, 2, 3}
	for _, c := range []causal.Cursor{
		{}, causal.NewCursor(log, 0, [8]byte{}), causal.NewCursor(log, 1, [8]byte{4}), causal.NewCursor(log, math.MaxUint64, [8]byte{7: 1}),
		causal.NewCursor([16]byte{}, 1, [8]byte{}), causal.NewCursor([16]byte{}, 0, [8]byte{1}),
	} {
		data, err := json.Marshal(c)
		require.NoError(t, err)
		var again causal.Cursor
		require.NoError(t, json.Unmarshal(data, &again))
		require.Equal(t, c, again)
		text, err := c.MarshalText()
		require.NoError(t, err)
		require.Equal(t, c.String(), string(text))
		require.LessOrEqual(t, len(text), 50)
	}
	require.Empty(t, causal.Cursor{}.String())
	c := causal.NewCursor(log, 7, [8]byte{8, 9})
	require.Equal(t, "AgECAwAAAAAAAAAAAAAAAAAAAAAAAAAABwgJAAAAAAAAnTHZ1A", c.String())
	require.Equal(t, []any{log, uint64(7), [8]byte{8, 9}}, []any{c.LogID(), c.Position(), c.Hash()})
	err := c.UnmarshalText([]byte("AQECAwAAAAAAAAAAAAAAAAAAAAAAAAAAB4frEKw"))
	require.ErrorIs(t, err, causal.ErrInvalidCursor)
	require.EqualError(t, err, "causal: invalid cursor: its text has version 1, not 2")
}

func TestCursorRefusesDamagedText(t *testing.T) {
	good := causal.NewCursor([16]byte{1, 2, 3}, 7, [8]byte{4, 5})
	text := good.String()
	ofVersion3, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	ofVersion3[0] = 3
	ofVersion3 = binary.BigEndian.AppendUint32(ofVersion3[:33], crc32.ChecksumIEEE(ofVersion3[:33]))
	damaged := []string{base64.RawURLEncoding.EncodeToString(ofVersion3), text[:5] + "\n" + text[5:], text + "\r\n", " ", text + "A", text[1:], text + "=", " " + text, strings.ToLower(text), strings.Repeat("A", len(text))}
	const noLog = "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAF5kbaw" // whose text is ""
	const tooLong = "AgEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAUW8lNQ"
	damaged = append(damaged, noLog, tooLong)
	for i := range text { // any single character
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

// The hash of a position depends on all entries before it.
func TestCursorNext(t *testing.T) {
	start := causal.NewCursor([16]byte{9}, 0, [8]byte{})
	follow := func(from causal.Cursor, ns ...int) causal.Cursor {
		for _, n := range ns {
			from = from.Next(eventtest.ID(n))
		}
		return from
	}
	sum := sha256.Sum256([]byte("\x00\x00\x00\x00\x00\x00\x00\x00TEST0000000000000000000001"))
	first := causal.NewCursor([16]byte{9}, 1, [8]byte(sum[:8]))
	require.Equal(t, first, follow(start, 1))
	sum = sha256.Sum256(append(sum[:8:8], "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"...))
	require.Equal(t, causal.NewCursor([16]byte{9}, 2, [8]byte(sum[:8])), first.Next("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"))
	require.Equal(t, first, start.Next("test0000000000000000000001"), "case does not matter")
	require.NotEqual(t, follow(start, 1, 2, 3, 4), follow(start, 1, 5, 3, 4), "an entry in between is another one")
	require.Equal(t, start, causal.NewCursor([16]byte{9}, 0, [8]byte{}), "the receiver is as it was")
}

func TestCursorPositionIn(t *testing.T) {
	log := [16]byte{9}
	at := func(position uint64) causal.Cursor { return causal.NewCursor(log, position, [8]byte{byte(position)}) }
	other := func(position uint64) causal.Cursor { return causal.NewCursor(log, position, [8]byte{99}) }
	failed := errors.New("failed")
	for name, test := range map[string]struct {
		c        causal.Cursor
		head, at uint64
		err      error
		asked    int
	}{
		"zero, empty log":            {},
		"zero":                       {head: 5},
		"start":                      {c: at(0), head: 5},
		"start, empty log":           {c: at(0)},
		"in between":                 {c: at(3), head: 5, at: 3, asked: 1},
		"head":                       {c: at(5), head: 5, at: 5},
		"beyond":                     {c: at(6), head: 5, err: causal.ErrCursorAhead},
		"beyond an empty log":        {c: at(1), err: causal.ErrCursorAhead},
		"another log":                {c: causal.NewCursor([16]byte{8}, 1, [8]byte{1}), head: 5, err: causal.ErrInvalidCursor},
		"another log, beyond":        {c: causal.NewCursor([16]byte{8}, 6, [8]byte{6}), head: 5, err: causal.ErrInvalidCursor},
		"no log":                     {c: causal.NewCursor([16]byte{}, 1, [8]byte{}), head: 5, err: causal.ErrInvalidCursor},
		"other entries":              {c: other(3), head: 5, err: causal.ErrInvalidCursor, asked: 1},
		"other entries at the head":  {c: other(5), head: 5, err: causal.ErrInvalidCursor},
		"other entries at the start": {c: other(0), head: 5, err: causal.ErrInvalidCursor},
		"the storage fails":          {c: at(4), head: 5, err: failed, asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			position, err := test.c.PositionIn(at(test.head), func(position uint64) ([8]byte, error) {
				asked++
				require.Equal(t, test.c.Position(), position)
				if position == 4 {
					return [8]byte{}, failed
				}
				return [8]byte{byte(position)}, nil
			})
			require.Equal(t, test.at, position)
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.asked, asked)
		})
	}
	_, err := at(1).PositionIn(at(1), nil)
	requireFault(t, err, "hash_at must not be nil")
}
