package causalsync

import "context"

// said is a message's description of a range, with the keys of its list.
type said struct {
	rangeOf
	keys []key
}

// describe describes a range by a list of its events if they are few, and
// otherwise by the fingerprints of the given number of parts. With one part,
// that is the fingerprint of the range.
func (m *summary) describe(ctx context.Context, of part, parts int) ([]said, error) {
	if of.sum.count < listBelow {
		keys, err := m.keys(ctx, of.span)
		if err != nil {
			return nil, err
		}
		list := said{rangeOf{span: of.span, mode: modeList, ids: make([]id, len(keys))}, keys}
		for i, k := range keys {
			list.ids[i] = m.salt.id(k)
		}
		return []said{list}, nil
	}
	all := []part{of}
	if parts > 1 {
		var err error
		if all, err = m.split(ctx, of.span, min(parts, int(of.sum.count/2))); err != nil {
			return nil, err
		}
	}
	sums := make([]said, len(all))
	for i, p := range all {
		sums[i] = said{rangeOf: rangeOf{span: p.span, mode: modeFingerprint, fingerprint: p.sum.fingerprint()}}
	}
	return sums, nil
}
