package causal

import (
	"encoding/json"
)

// A Delta is the part of a state that a given vector clock has not seen. For a
// replica that has seen that vector clock, merging the Delta has the same
// effect as merging the whole state, and is often much cheaper (Almeida, Shoker
// and Baquero, "Delta state replicated data types", 2018). S is [GSet],
// [PNCounter] or [ORSet].
//
// A state's DeltaSince returns a Delta, and MergeDelta merges it into another
// state. The zero value is the delta of an empty state. A Delta shares nothing
// with the state it came from. It is safe for concurrent use except while it is
// being decoded into.
type Delta[S any] struct {
	since VectorClock
	part  S // with the vector clock of the whole state
}

// Since returns what a replica must have seen to merge the delta.
func (d Delta[S]) Since() VectorClock { return d.since }

// MarshalJSON encodes the delta. It returns the errors of the state's
// MarshalJSON, and an error if [Delta.Since] has more than 65,536 nodes.
func (d Delta[S]) MarshalJSON() ([]byte, error) {
	part, err := json.Marshal(d.part)
	if err != nil {
		return nil, unwrapMarshaler(err)
	}
	b, err := appendVector(nil, `{"`, "since", d.since)
	if err != nil {
		return nil, err
	}
	b = append(append(b, `,"part":`...), part...)
	return append(b, '}'), nil
}

// unwrapMarshaler returns the error of a MarshalJSON method, which
// encoding/json has wrapped.
func unwrapMarshaler(err error) error {
	if wrapped, ok := err.(*json.MarshalerError); ok { //nolint:errorlint // json.Marshal returns it unwrapped
		return wrapped.Err
	}
	return err
}

// UnmarshalJSON decodes the output of MarshalJSON. If data is invalid, it
// leaves *d unchanged and returns a [*ValidationError]. It does not retain
// data.
func (d *Delta[S]) UnmarshalJSON(data []byte) error {
	text, err := checkJSON(data)
	if err != nil {
		return err
	}
	var read Delta[S]
	err = readObject(text,
		member{"since", into(&read.since, parseVectorClock)},
		member{"part", func(value string) error {
			if err := json.Unmarshal([]byte(value), &read.part); err != nil {
				return invalidBecause("", "is not a state of this type", err)
			}
			return nil
		}})
	if err != nil {
		return err
	}
	*d = read
	return nil
}
