package causalnats

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// Limits of one request for messages of a stream; a single message may be
// larger.
const (
	windowCount = 1000
	windowBytes = 4 << 20
)

// fetch reads messages of a stream starting at a sequence, at least 1, from any
// server that has it. They are in order, without holes other than those of the
// stream, but possibly truncated. filter is a subject, or "".
func (c *client) fetch(ctx context.Context, stream string, from uint64, count int, filter string) ([]*nats.Msg, error) {
	inbox := c.conn.NewInbox()
	answers := make(chan *nats.Msg, 2*(count+1)) // some may arrive twice
	sub, err := c.conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	next := ""
	if filter != "" {
		next = `,"next_by_subj":` + strconv.Quote(filter)
	}
	request := fmt.Sprintf(`{"seq":%d,"batch":%d,"max_bytes":%d%s}`, from, count, windowBytes, next)
	if err := c.conn.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, []byte(request)); err != nil {
		return nil, err
	}
	var messages []*nats.Msg
	last, previous := from-1, uint64(0)
	for {
		select {
		case <-ctx.Done():
			if len(messages) > 0 {
				return messages, nil // they are in order and can be used
			}
			return nil, ctx.Err()
		case m := <-answers:
			switch status := m.Header.Get("Status"); status {
			case "":
				sequence, err := sequenceOf(m)
				if err != nil {
					return nil, err
				}
				if sequence <= last { // a duplicate
					continue
				}
				if before := m.Header.Get("Nats-Last-Sequence"); before != strconv.FormatUint(previous, 10) {
					if len(messages) == 0 {
						return nil, errLag
					}
					return messages, nil // one was lost, for example with a connection
				}
				if messages, last, previous = append(messages, m), sequence, sequence; len(messages) == count {
					return messages, nil
				}
			case "204", "404": // the end
				if len(messages) == 0 {
					return nil, errLag
				}
				return messages, nil
			case "503":
				return nil, nats.ErrNoResponders
			default:
				return nil, fmt.Errorf("the server refuses to read: %s %s", status, m.Header.Get("Description"))
			}
		}
	}
}

// fetchOrGet is fetch, except that if the answering server does not have the
// first message yet, the leader is asked for it. It may return none.
func (c *client) fetchOrGet(ctx context.Context, stream string, from uint64, count int, filter string) ([]*nats.Msg, error) {
	messages, err := c.fetch(ctx, stream, from, count, filter)
	if !errors.Is(err, errLag) {
		return messages, err
	}
	request := bySequence(from)
	if filter != "" {
		request = fmt.Sprintf(`{"seq":%d,"next_by_subj":%q}`, from, filter)
	}
	m, err := c.getMessage(ctx, stream, request)
	if err != nil || m.Sequence == 0 {
		return nil, err
	}
	header := nats.Header{}
	if len(m.Header) > 0 {
		if header, err = nats.DecodeHeadersMsg(m.Header); err != nil {
			return nil, errAnswer
		}
	}
	header.Set("Nats-Sequence", strconv.FormatUint(m.Sequence, 10))
	header.Set("Nats-Subject", m.Subject)
	return []*nats.Msg{{Header: header, Data: m.Data}}, nil
}

// sequenceOf returns the sequence of a fetched message.
func sequenceOf(m *nats.Msg) (uint64, error) {
	n, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return 0, errAnswer
	}
	return n, nil
}

// A record too large for a message is sent as several, each with this header:
// its number from 1, the number of parts, and the nonce of the record in
// hexadecimal.
const partHeader = "Causal-Part"

type part struct {
	number, of int
	nonce      nonce
}

func (p part) String() string { return fmt.Sprintf("%d/%d/%x", p.number, p.of, p.nonce) }

func parsePart(text string) (p part, err error) {
	var id []byte
	if n, err := fmt.Sscanf(text, "%d/%d/%x", &p.number, &p.of, &id); n != 3 || err != nil || len(id) != len(p.nonce) ||
		p.number < 1 || p.number > p.of || p.of > maxParts {
		return part{}, errDamaged
	}
	p.nonce = nonce(id)
	return p, nil
}

// markOf returns the position and nonce of a message, which is a record or the
// last part of one.
func markOf(sequence uint64, header, data []byte) (mark, error) {
	for line := range strings.Lines(string(header)) {
		if value, ok := strings.CutPrefix(line, partHeader+":"); ok {
			p, err := parsePart(strings.TrimSpace(value))
			return mark{sequence, p.nonce}, err
		}
	}
	if len(data) < recordHead {
		return mark{}, errDamaged
	}
	return mark{sequence, nonce(data[1:17])}, nil
}

// reader reads records of the log, window by window.
type reader struct {
	*client
	last mark   // of the last record read; the first window begins with it, and it must still be there
	to   uint64 // sequence up to which to read, including all of the record there

	hasLast bool   // whether last was seen again
	data    []byte // of the parts read so far
	parts   uint64
	nonce   nonce // of them
}

// isDone reports whether everything was read.
func (r *reader) isDone() bool { return r.last.sequence >= r.to && r.parts == 0 }

// next returns the records of the next window. There may be none if it is only
// a part of one.
func (r *reader) next(ctx context.Context) ([]record, error) {
	records, raw, err := r.read(ctx)
	if err == nil {
		err = decodeAll(records, raw)
	}
	if err != nil {
		return nil, err
	}
	return records, nil
}

// read returns the positions of the records of the next window, and their
// bytes.
func (r *reader) read(ctx context.Context) (records []record, raw [][]byte, err error) {
	from := r.last.sequence + r.parts
	if r.hasLast || from == 0 {
		from++
	}
	messages, err := r.window(ctx, from)
	if err != nil {
		return nil, nil, err
	}
	if !r.hasLast && r.last.sequence > 0 {
		if err := r.seeLast(messages[0]); err != nil {
			return nil, nil, err
		}
		messages, from = messages[1:], from+1
	}
	r.hasLast = true
	for i, m := range messages {
		data, whole, err := r.add(m)
		if err != nil {
			return nil, nil, fmt.Errorf("message %d of the log %w", from+uint64(i), err)
		}
		if whole.sequence > 0 {
			raw, records = append(raw, data), append(records, whole)
		}
	}
	return records, raw, nil
}

// window reads consecutive messages.
func (r *reader) window(ctx context.Context, from uint64) (messages []*nats.Msg, err error) {
	count := windowCount
	if r.to >= from {
		count = int(min(r.to-from+1, windowCount))
	}
	err = r.retry(ctx, 0, func(ctx context.Context) (err error) {
		messages, err = r.fetchOrGet(ctx, r.names.log, from, count, "")
		for i, m := range messages {
			if sequence, _ := sequenceOf(m); sequence != from+uint64(i) {
				messages = messages[:i]
				break
			}
		}
		if err == nil && len(messages) == 0 {
			err = fmt.Errorf("%w: there is no message %d", ErrLogLost, from)
		}
		return err
	})
	return messages, err
}

// seeLast requires that a message is the last one of the last record read.
func (r *reader) seeLast(m *nats.Msg) error {
	header := partHeader + ":" + m.Header.Get(partHeader)
	if m.Header.Get(partHeader) == "" {
		header = ""
	}
	got, err := markOf(r.last.sequence, []byte(header), m.Data)
	if err != nil || got != r.last {
		return errOther(r.last.sequence)
	}
	return nil
}

func errOther(sequence uint64) error {
	return fmt.Errorf("%w: the message %d has been replaced", ErrLogLost, sequence)
}

// add adds a message, and returns the record it completes, if any.
func (r *reader) add(m *nats.Msg) (data []byte, whole record, err error) {
	text := m.Header.Get(partHeader)
	if text == "" {
		if r.parts > 0 {
			return nil, whole, errDamaged
		}
		whole.sequence, whole.messages = r.last.sequence+1, 1
		if len(m.Data) >= recordHead {
			whole.nonce = nonce(m.Data[1:17])
		}
		r.last = whole.mark
		return m.Data, whole, nil
	}
	p, err := parsePart(text)
	if err != nil || p.number != int(r.parts)+1 || p.number > 1 && p.nonce != r.nonce {
		return nil, whole, errDamaged
	}
	r.data, r.parts, r.nonce = append(r.data, m.Data...), r.parts+1, p.nonce
	if p.number < p.of {
		return nil, whole, nil
	}
	whole.mark, whole.messages = mark{r.last.sequence + r.parts, p.nonce}, r.parts
	data, r.data, r.parts, r.last = r.data, nil, 0, whole.mark
	return data, whole, nil
}

// decode decodes a record.
func (r *record) decode(raw []byte) error {
	got, err := decodeRecord(raw)
	if err == nil && got.nonce != r.nonce {
		err = errDamaged
	}
	if err != nil {
		return fmt.Errorf("message %d of the log %w", r.sequence, err)
	}
	r.witness, r.saves = got.witness, got.saves
	return nil
}

// decodeAll decodes records, on all processors.
func decodeAll(records []record, raw [][]byte) error {
	errs := make([]error, len(records))
	decode := func(i int) { errs[i] = records[i].decode(raw[i]) }
	workers := min(runtime.GOMAXPROCS(0), len(records)/16)
	if workers < 2 {
		for i := range records {
			decode(i)
		}
		return errors.Join(errs...)
	}
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(records); i += workers {
				decode(i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
