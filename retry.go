package causal

import (
	"context"
	"errors"
)

// RetryRejected retries rejected events in case they are acceptable by now:
// those of the project whose clock was too far ahead, or whose ID was taken.
// Events that are now stored or known are deleted from the rejected ones, and
// those rejected again are listed in the receipt. If the store is not a
// [RejectedStorage], RetryRejected does nothing. Errors are those of Receive.
func (n *Node) RetryRejected(ctx context.Context) (Receipt, error) {
	if err := n.begin(ctx); err != nil {
		return Receipt{}, err
	}
	var all Receipt
	storage, ok := n.storage.(RejectedStorage)
	if !ok {
		return all, nil
	}
	var batch []incoming
	var kept []Rejected
	retry := func() error {
		r, err := n.take(ctx, batch)
		for i := 0; err == nil && i < len(batch); i++ {
			if in := &batch[i]; in.err != nil && !errors.Is(in.err, errKnown) {
				kept[i].Reason = in.err.Error()
				r.Rejected = append(r.Rejected, Rejection{Rejected: kept[i], Err: in.err, IsStored: true})
			} else {
				err = storage.DeleteRejected(ctx, kept[i].Key())
			}
		}
		all.add(r)
		batch, kept = batch[:0], kept[:0]
		return err
	}
	for rejected, err := range storage.Rejected(ctx) {
		if err != nil {
			err = errors.Join(err, retry()) // of earlier entries
			return all, err
		}
		e, err := decodeEvent(rejected.Data)
		if err != nil || e.p.ProjectUUID != n.options.ProjectUUID {
			continue
		}
		batch, kept = append(batch, incoming{event: e, data: rejected.Data}), append(kept, rejected)
		if len(batch) == receivedTogether {
			if err := retry(); err != nil {
				return all, err
			}
		}
	}
	err := retry()
	return all, err
}
