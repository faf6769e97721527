package storetest

import (
	"context"
	"errors"
	"iter"
	"testing"

	"carillon/internal/store"
)

// ErrFault is the error of a [Faulty] store.
var ErrFault = errors.New("input/output error")

// A Faulty store fails one operation, after it has carried out Left others. Each call is an
// operation, and so is each key that a scan reads.
type Faulty struct {
	store.Store
	Left int // negative after the failure
}

func (s *Faulty) fails() bool {
	s.Left--
	return s.Left == -1
}

// Get implements [store.Store].
func (s *Faulty) Get(ctx context.Context, keys ...[]byte) ([][]byte, error) {
	if s.fails() {
		return nil, ErrFault
	}
	return s.Store.Get(ctx, keys...)
}

// Scan implements [store.Store].
func (s *Faulty) Scan(ctx context.Context, r store.Range, limit int) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		for p, err := range s.Store.Scan(ctx, r, limit) {
			if s.fails() {
				yield(store.Pair{}, ErrFault)
				return
			}
			if !yield(p, err) {
				return
			}
		}
		if s.fails() {
			yield(store.Pair{}, ErrFault)
		}
	}
}

// Commit implements [store.Store].
func (s *Faulty) Commit(ctx context.Context, b *store.Batch) error {
	if s.fails() {
		return ErrFault
	}
	return s.Store.Commit(ctx, b)
}

// maxOperations is how many operations [EachFault] lets do have.
const maxOperations = 100

// EachFault calls do repeatedly with s. Each time another operation of the store fails, and do must
// return [ErrFault]. In the last call none fails, and do must return nil.
func EachFault(t *testing.T, s store.Store, do func(s store.Store) error) {
	t.Helper()
	for n := range maxOperations {
		faulty := &Faulty{Store: s, Left: n}
		err := do(faulty)
		if faulty.Left >= 0 {
			if err != nil {
				t.Errorf("without an error of the store: %v", err)
			}
			return
		}
		if !errors.Is(err, ErrFault) {
			t.Errorf("when operation %d fails, the error is %v", n, err)
		}
	}
	t.Fatalf("there are more than %d operations", maxOperations)
}
