package rawjson

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzValues compares the results of the package for valid text with
// encoding/json.
func FuzzValues(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add([]byte(text))
	}
	for _, text := range []string{
		`{"a":1,"b":[2,{"c":null}],"a":3,"\u0061":4}`, `[1e2, "\ud83d\ude00", "\ud800", "\\ufffd", "\ufffd"]`, `-922337203685477580800e-2`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !Valid(data) || !utf8.Valid(data) || IsDeeper(string(data), 1000) {
			return
		}
		text := strings.TrimSpace(string(data))
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, data))
		require.True(t, Equal(text, compact.String()), "white space makes a difference")
		require.Equal(t, AppendCanonical(nil, text), AppendCanonical(nil, compact.String()))
		require.Equal(t, HasLoneSurrogate(text), HasLoneSurrogate(compact.String()))
		switch text[0] {
		case '{':
			checkMembers(t, text)
		case '[':
			checkElements(t, text)
		case '"':
			checkString(t, text)
		case 't', 'f', 'n':
			_, err := ParseInteger(text)
			require.ErrorIs(t, err, ErrNotInteger)
		default:
			checkNumber(t, text)
		}
	})
}

func checkMembers(t *testing.T, object string) {
	want := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal([]byte(object), &want))
	got := map[string]string{}
	for raw, value := range Members(object) {
		name, ok := Unquote(raw)
		if !ok {
			return // encoding/json replaces half of a surrogate pair
		}
		require.True(t, IsString(raw, name))
		got[name] = value
	}
	require.Len(t, got, len(want))
	for name, value := range want {
		require.Equal(t, string(value), got[name])
		found, ok := Find(object, name)
		require.True(t, ok)
		require.Equal(t, string(value), found)
	}
	_, ok := Find(object, "no such member")
	require.Equal(t, want["no such member"] != nil, ok)
}

func checkElements(t *testing.T, array string) {
	var want []json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(array), &want))
	i := 0
	for element := range Elements(array) {
		require.Equal(t, string(want[i]), element)
		i++
	}
	require.Len(t, want, i)
}

func checkString(t *testing.T, raw string) {
	var want string
	require.NoError(t, json.Unmarshal([]byte(raw), &want))
	got, ok := Unquote(raw)
	require.Equal(t, HasLoneSurrogate(raw), !ok)
	if ok {
		require.Equal(t, want, got)
		again := string(AppendString(nil, got))
		require.True(t, Valid([]byte(again)))
		require.True(t, Equal(raw, again))
	}
}

func checkNumber(t *testing.T, raw string) {
	got, err := ParseInteger(raw)
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		if exp, err := strconv.Atoi(raw[i+1:]); err != nil || exp < -1000 || exp > 1000 {
			return // too large for the model
		}
	}
	want, ok := new(big.Rat).SetString(raw)
	require.True(t, ok)
	switch {
	case !want.IsInt():
		require.ErrorIs(t, err, ErrNotInteger)
	case !want.Num().IsInt64():
		require.ErrorIs(t, err, ErrRange)
	default:
		require.NoError(t, err)
		require.Equal(t, want.Num().Int64(), got)
	}
}

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{a: `1`, b: `1.0`, want: true},
		{a: `1`, b: `10e-1`, want: true},
		{a: `1`, b: `-1`},
		{a: `0`, b: `-0.0e5`, want: true},
		{a: `1`, b: `"1"`},
		{a: `9007199254740993`, b: `9007199254740992`},
		{a: `1e2147483648`, b: `1E2147483648`, want: true},
		{a: `1e2147483648`, b: `10e2147483647`, want: true},
		{a: `1e2147483648`, b: `1e2147483649`},
		{a: `1e99999999999999999999`, b: `0.1e+00100000000000000000000`, want: true},
		{a: `1e-99999999999999999999`, b: `100e-100000000000000000001`, want: true},
		{a: `1e99999999999999999999`, b: `1e-99999999999999999999`},
		{a: `1e99999999999999999999`, b: `-1e99999999999999999999`},
		{a: `1e1000000000000000000`, b: `10e999999999999999999`, want: true},
		{a: `1e999999999999999997`, b: `0.001e1000000000000000000`, want: true},
		{a: `1e-1000000000000000000`, b: `0.01e-999999999999999998`, want: true},
		{a: `0e99999999999999999999`, b: `0`, want: true},
		{a: `null`, b: `"null"`},
		{a: `true`, b: `"true"`},
		{a: `{"a":1,"b":2}`, b: ` {"b":2,"a":1}`[1:], want: true},
		{a: `{"a":1,"a":2}`, b: `{"a":2}`, want: true},
		{a: `[1,2]`, b: `[2,1]`},
		{a: `[]`, b: `{}`},
		{a: `"\u00e9"`, b: `"é"`, want: true},
		{a: `"\ud800"`, b: `"\uD800"`, want: true},
		{a: `"\ud800"`, b: `"\ud801"`},
		{a: `"\ud800"`, b: `"\ufffd"`},
	} {
		t.Run(test.a+" "+test.b, func(t *testing.T) {
			require.Equal(t, test.want, Equal(test.a, test.b))
			require.Equal(t, test.want, Equal(test.b, test.a))
		})
	}
}

// addToExponent agrees with arbitrary-precision arithmetic.
func TestAddToExponent(t *testing.T) {
	for _, exponent := range []string{
		"0", "-0", "+7", "007", "-3", "999999999999999999", "-999999999999999999", "1000000000000000000", "-1000000000000000000",
		"1000000000000000001", "99999999999999999999", "100000000000000000000", "-100000000000000000000", "999999999999999999999999999999999999",
		"1000000000000000000000000000000000000", "-1000000000000000000000000000000000000",
	} {
		for _, n := range []int64{0, 1, -1, 2, -2, 1000, -1000} {
			want, ok := new(big.Int).SetString(exponent, 10)
			require.True(t, ok)
			want.Add(want, big.NewInt(n))
			exp, wide := addToExponent(exponent, n)
			if wide == "" {
				wide = strconv.FormatInt(exp, 10)
				require.Less(t, len(strings.TrimPrefix(wide, "-")), 19, "%s + %d", exponent, n)
			} else {
				require.Greater(t, len(strings.TrimPrefix(wide, "-")), 18, "%s + %d", exponent, n)
			}
			require.Equal(t, want.String(), wide, "%s + %d", exponent, n)
		}
	}
}

func TestParseInteger(t *testing.T) {
	for _, test := range []struct {
		raw  string
		want int64
		err  error
	}{
		{raw: "0"},
		{raw: "-0.0"},
		{raw: "1e2", want: 100},
		{raw: "-1.50e1", want: -15},
		{raw: "9223372036854775807", want: math.MaxInt64},
		{raw: "-9.223372036854775808E+18", want: math.MinInt64},
		{raw: "9223372036854775808", err: ErrRange},
		{raw: "1e19", err: ErrRange},
		{raw: "1e99999999999", err: ErrRange},
		{raw: "1e99999999999999999999", err: ErrRange},
		{raw: "1e-99999999999999999999", err: ErrNotInteger},
		{raw: "0e99999999999999999999"},
		{raw: "1.5", err: ErrNotInteger},
		{raw: "1e-1", err: ErrNotInteger},
		{raw: `"1"`, err: ErrNotInteger},
		{raw: "null", err: ErrNotInteger},
		{raw: "{}", err: ErrNotInteger},
	} {
		t.Run(test.raw, func(t *testing.T) {
			got, err := ParseInteger(test.raw)
			require.Equal(t, test.err, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestIsDeeper(t *testing.T) {
	for _, test := range []struct {
		value string
		depth int
	}{
		{value: `1`, depth: 0},
		{value: `"[[["`, depth: 0},
		{value: `{}`, depth: 1},
		{value: `[1,[2],"]"]`, depth: 2},
		{value: `{"a":[[{"b":{}}]]}`, depth: 5},
	} {
		t.Run(test.value, func(t *testing.T) {
			require.False(t, IsDeeper(test.value, test.depth))
			require.True(t, test.depth == 0 || IsDeeper(test.value, test.depth-1))
		})
	}
}

func TestHasReplacement(t *testing.T) {
	require.True(t, HasReplacement(`{"a":"b\ufffd"}`))
	require.True(t, HasReplacement(`"\\\ufffd"`))
	require.False(t, HasReplacement(`"\\ufffd"`))
	require.False(t, HasReplacement(`"�\ufffe\n"`))
}

// FuzzCanonical compares the canonical form with Equal.
func FuzzCanonical(f *testing.F) {
	for i, text := range jsonTexts {
		f.Add([]byte(text), []byte(jsonTexts[(i+1)%len(jsonTexts)]))
	}
	for _, pair := range [][2]string{
		{"1", "1.0"}, {"1e1", "10"}, {"0.10", "1e-1"}, {"-0", "0"}, {`"\u0061"`, `"a"`}, {`"\ud800"`, `"\uD800"`}, {`{"a":1,"b":2}`, `{"b":2,"a":1}`},
		{`{"a":1,"a":2}`, `{"a":2}`}, {`[1,[2]]`, `[[1],2]`}, {`{"a":"b"}`, `["a","b"]`}, {`"d"`, `{}`}, {`1e99999999999999999999`, `10e99999999999999999998`},
	} {
		f.Add([]byte(pair[0]), []byte(pair[1]))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, data := range [][]byte{a, b} {
			if !Valid(data) || !utf8.Valid(data) || IsDeeper(string(data), 1000) {
				return
			}
		}
		x, y := strings.TrimSpace(string(a)), strings.TrimSpace(string(b))
		require.Equal(t, Equal(x, y), bytes.Equal(AppendCanonical(nil, x), AppendCanonical(nil, y)))
	})
}
