package fair

// A Pool divides a limited amount among keys that hold parts of it for any length of time. A key
// may hold
//
//   - as much as is free. So one key alone holds half of the limit at most, two hold a third each, and
//     so on: the more keys hold something, the smaller the share of each (a dynamic threshold,
//     Choudhury and Hahne, 1998);
//   - its guaranteed part always, even if other keys hold all the rest and never release it. Once all
//     keys together hold one and a half times the limit, only 1 is guaranteed.
//
// So all keys together hold at most one and a half times the limit, one guaranteed part, and 1 for
// each key. Use [NewPool] to create one.
type Pool[K comparable] struct {
	limit, guaranteed int
	held              int
	by                map[K]int
}

// NewPool returns a pool of which nothing is held. Both arguments are positive.
func NewPool[K comparable](limit, guaranteed int) *Pool[K] {
	return &Pool[K]{limit: limit, guaranteed: guaranteed, by: make(map[K]int)}
}

// Held returns how much all keys hold.
func (p *Pool[K]) Held() int { return p.held }

// HeldBy returns how much k holds.
func (p *Pool[K]) HeldBy(k K) int { return p.by[k] }

// Limit returns how much may be held, apart from guaranteed parts.
func (p *Pool[K]) Limit() int { return p.limit }

// Available returns how much more k may hold; it is never negative.
func (p *Pool[K]) Available(k K) int {
	held := p.by[k]
	guaranteed := p.guaranteed
	if p.held >= p.limit+p.limit/2 {
		guaranteed = 1
	}
	return max(0, guaranteed-held, (p.limit-p.held-held)/2)
}

// Acquire makes k hold n more. It does not check that n are available.
func (p *Pool[K]) Acquire(k K, n int) {
	p.by[k] += n
	p.held += n
}

// Release makes k hold n less.
func (p *Pool[K]) Release(k K, n int) {
	p.held -= n
	if p.by[k] -= n; p.by[k] == 0 {
		delete(p.by, k)
	}
}
