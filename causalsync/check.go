package causalsync

import "slices"

// checker checks that an answer fits the request, before any of it is used.
// This is also why a Sync ends, whatever the peer answers: each answer finishes
// a range or brings an event, the ranges it describes lie within those whose
// fingerprint was sent, and only this side's own counts decide whether a range
// is split.
type checker struct {
	session *session
	answer  *answer
	sent    []said

	brought map[int]int // the number of events received for each range
	missing map[id]bool // wanted and not received
}

// check returns the events of the answer.
func (c *checker) check() ([]*incoming, error) {
	incoming, err := c.events()
	if err == nil {
		err = c.done(len(incoming))
	}
	if err == nil {
		err = c.ranges()
	}
	if err == nil {
		err = c.wants()
	}
	return incoming, err
}

// rangeOf returns the index of the sent range containing k, or -1 if there is
// none.
func (c *checker) rangeOf(k key) int {
	i, _ := slices.BinarySearchFunc(c.sent, k, func(s said, k key) int {
		if k.isBefore(s.hi) {
			return 1
		}
		return -1
	})
	if i == len(c.sent) || k.isBefore(c.sent[i].lo) {
		return -1
	}
	return i
}

// events checks that each decodable event was missing: it lies before the end
// of the answer, in a range whose list does not have it or asks for it, and
// occurs once.
func (c *checker) events() ([]*incoming, error) {
	incoming := decodeEvents(c.answer.events)
	salt := &c.session.summary.salt
	c.brought, c.missing = map[int]int{}, map[id]bool{}
	known := map[id]bool{}
	for _, s := range c.sent {
		for _, id := range s.ids {
			if s.mode == modeWanted {
				c.missing[id] = true
			} else {
				known[id] = true
			}
		}
	}
	for _, in := range incoming {
		if in.event.IsZero() { // its position is unknown
			continue
		}
		k := keyOf(in.event.SyncKey())
		at, id := c.rangeOf(k), salt.id(k)
		if at < 0 || !k.isBefore(c.answer.done) || c.sent[at].mode == modeFingerprint ||
			c.sent[at].mode == modeWanted && !c.missing[id] || known[id] {
			return nil, broken("an answer has an event that was not missing")
		}
		delete(c.missing, id)
		known[id] = true
		c.brought[at]++
	}
	return incoming, nil
}

// done checks that the answer makes progress: its end is after the first range,
// or within one with events.
func (c *checker) done(events int) error {
	if len(c.sent) == 0 {
		if c.answer.done != end || events > 0 {
			return broken("an answer has something about no range")
		}
		return nil
	}
	at := c.rangeOf(c.answer.done)
	isWithin := at >= 0 && c.sent[at].lo.isBefore(c.answer.done)
	unread := events
	for _, n := range c.brought {
		unread -= n
	}
	switch {
	case isWithin && (c.sent[at].mode == modeFingerprint || c.brought[at] == 0 && unread == 0),
		!c.sent[0].lo.isBefore(c.answer.done):
		return broken("an answer does not get on")
	}
	return nil
}

// ranges checks that each described range is part of one whose fingerprint was
// sent.
func (c *checker) ranges() error {
	at := 0
	for _, r := range c.answer.ranges {
		for at < len(c.sent) && !r.lo.isBefore(c.sent[at].hi) {
			at++
		}
		if at == len(c.sent) || r.lo.isBefore(c.sent[at].lo) || c.sent[at].hi.isBefore(r.hi) || c.answer.done.isBefore(r.hi) ||
			c.sent[at].mode != modeFingerprint || r.mode == modeWanted {
			return broken("an answer has a range that was not asked about")
		}
	}
	return nil
}

// wants checks that each wanted event is on a list, and wanted once.
func (c *checker) wants() error {
	last := want{}
	for i, w := range c.answer.wants {
		if i > 0 && (w.rangeAt < last.rangeAt || w.rangeAt == last.rangeAt && w.index <= last.index) ||
			w.rangeAt >= uint64(len(c.sent)) || c.sent[w.rangeAt].mode != modeList || w.index >= uint64(len(c.sent[w.rangeAt].keys)) {
			return broken("an answer asks for what is on no list")
		}
		last = w
	}
	return nil
}
