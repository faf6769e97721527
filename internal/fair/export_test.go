package fair

// Flows returns how many flows q keeps, those without items included.
func (q *Queue[K, T]) Flows() int { return len(q.flows) }

// Len returns how many keys r knows.
func (r *Rates[K]) Len() int { return len(r.by) }
