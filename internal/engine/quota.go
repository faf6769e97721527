package engine

import "time"

// A namespace may have a quota of triggers a second. Beyond it nothing is refused: a lane whose jobs are due has its next
// triggers promised for a later instant, behind those that other lanes of the namespace were promised, and waits for that in
// the heap. What has been promised or used and does not leave after all is given back.

// pay returns how many of up to most triggers l may fire now: none if it has to wait until l.notBefore.
func (m *machine) pay(now time.Time, l *lane, most int) int {
	if m.rates == nil {
		return most
	}
	if l.prepaid == 0 {
		if l.prepaid = l.due(now, most); l.prepaid == 0 {
			return most // and there is nothing to fire
		}
		if at := m.rates.Take(now, l.id.Target.Namespace, l.prepaid); at.After(now) {
			l.notBefore = at
			l.stall(now, at)
		}
	}
	if l.notBefore.After(now) {
		return 0
	}
	return min(most, l.prepaid)
}

// paid notes that l has had so many entries taken, of which so many are fired.
func (m *machine) paid(now time.Time, l *lane, taken, fired int) {
	if m.rates == nil {
		return
	}
	l.prepaid -= min(l.prepaid, taken)
	m.refund(l, taken-fired)
	if !l.notBefore.IsZero() {
		m.delayed += fired
	}
	if l.due(now, 1) == 0 {
		m.refund(l, l.prepaid)
		l.prepaid = 0
	}
	if l.prepaid == 0 {
		l.notBefore = time.Time{}
	}
}

// refund gives back n triggers that l has paid for.
func (m *machine) refund(l *lane, n int) {
	if m.rates != nil && n > 0 {
		m.rates.Give(l.id.Target.Namespace, n)
	}
}

// unpay gives back what was paid for e, which was picked and does not leave.
func (m *machine) unpay(e attempt) {
	if m.rates != nil {
		m.rates.Give(e.Key.Target.Namespace, 1)
	}
}

// unpace lets all lanes go on that wait for their quota, because the clock on the wall was set back: they would wait for
// that much longer.
func (m *machine) unpace() {
	for _, l := range m.lanes {
		if !l.notBefore.IsZero() {
			l.notBefore = time.Time{}
			m.place(l)
		}
	}
}

// due returns how many of the first entries of the window, up to most, are due.
func (l *lane) due(now time.Time, most int) (n int) {
	for n < len(l.window) && n < most && !l.window[n].Due.After(now) {
		n++
	}
	return n
}

// wakes returns when the first entry of the window may be fired.
func (l *lane) wakes() time.Time {
	if due := l.window[0].Due; !due.Before(l.notBefore) {
		return due
	}
	return l.notBefore
}
