package causal

import (
	"encoding/json"
)

// Delta is what a state has beyond a vector clock: for a replica that has seen
// that much, it is worth the whole state, and often much smaller (Almeida, Shoker
// and Baquero, "Delta state replicated data types", 2018). S is [GSet],
// [PNCounter] or [ORSet].
//
// DeltaSince of a state makes it, and MergeDelta of another one takes it. The zero
// value is the delta of an empty state. A Delta shares nothing with the state that
// made it. It is safe for concurrent use while nobody decodes into it.
type Delta[S any] struct {
	since VectorClock
	part  S // with what the whole state has seen
}

// Since returns what a replica must have seen to merge the delta.
func (d Delta[S]) Since() VectorClock { return d.since }

// MarshalJSON writes the delta. The errors are those of the state's MarshalJSON.
func (d Delta[S]) MarshalJSON() ([]byte, error) {
	part, err := json.Marshal(d.part)
	if err != nil {
		return nil, unwrapMarshaler(err)
	}
	b := d.since.appendJSON([]byte(`{"since":`))
	b = append(append(b, `,"part":`...), part...)
	return append(b, '}'), nil
}

// unwrapMarshaler returns the error of a MarshalJSON method that encoding/json has
// wrapped.
func unwrapMarshaler(err error) error {
	if wrapped, ok := err.(*json.MarshalerError); ok { //nolint:errorlint // json.Marshal returns it unwrapped
		return wrapped.Err
	}
	return err
}

// UnmarshalJSON reads what MarshalJSON writes. It leaves *d as it was if there is
// an error, which is a [*ValidationError]. The caller keeps data.
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
				return invalidBecause("", "is not the state of this type", err)
			}
			return nil
		}})
	if err != nil {
		return err
	}
	*d = read
	return nil
}
