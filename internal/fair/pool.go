package fair

// A Pool divides a limited amount among keys that hold parts of it for as long as they like. A key may hold
//
//   - as much as is free, so that one alone holds half of the limit at most, two a third each, and so on: the more keys hold
//     something, the smaller the share of each (a dynamic threshold, Choudhury and Hahne, 1998);
//   - its guaranteed part always, even if others, who may never give back what they hold, have taken all the rest; or 1, when
//     guaranteed parts have taken half as much again as the limit.
//
// So all of them together hold one and a half times the limit at most, one guaranteed part, and 1 for each key. Make it
// with [NewPool].
type Pool[K comparable] struct {
	limit, guaranteed int
	held              int
	by                map[K]int
}

// NewPool returns a pool of which nothing is held. Both figures are positive.
func NewPool[K comparable](limit, guaranteed int) *Pool[K] {
	return &Pool[K]{limit: limit, guaranteed: guaranteed, by: make(map[K]int)}
}

// Held returns how much all keys hold.
func (p *Pool[K]) Held() int { return p.held }

// HeldBy returns how much k holds.
func (p *Pool[K]) HeldBy(k K) int { return p.by[k] }

// Limit returns how much may be held, guaranteed parts aside.
func (p *Pool[K]) Limit() int { return p.limit }

// Room returns how much more k may hold; it is not negative.
func (p *Pool[K]) Room(k K) int {
	held := p.by[k]
	guaranteed := p.guaranteed
	if p.held >= p.limit+p.limit/2 {
		guaranteed = 1
	}
	return max(0, guaranteed-held, (p.limit-p.held-held)/2)
}

// Take has k hold n more. It does not ask whether there is room.
func (p *Pool[K]) Take(k K, n int) {
	p.by[k] += n
	p.held += n
}

// Give takes n of what k holds back.
func (p *Pool[K]) Give(k K, n int) {
	p.held -= n
	if p.by[k] -= n; p.by[k] == 0 {
		delete(p.by, k)
	}
}
