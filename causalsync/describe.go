package causalsync

import "context"

// said is what a message says of a range, with the keys of its list.
type said struct {
	rangeOf
	keys []key
}

// describe says what is in a range: a list of its events if there are few, and otherwise the fingerprints of so
// many parts; with 1, that of the range.
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
