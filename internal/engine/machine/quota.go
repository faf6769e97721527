package machine

import "time"

// A namespace may have a quota of triggers per second. Nothing is refused beyond it: a lane with
// due jobs reserves its next triggers at a later instant, after those that other lanes have
// reserved, and waits. What was reserved and does not leave is refunded.

// reserveQuota returns how many of up to limit triggers l may fire now. If it is 0, l waits until
// l.notBefore.
func (m *Machine) reserveQuota(now time.Time, l *Lane, limit int) int {
	if m.rates == nil {
		return limit
	}
	if l.reserved == 0 {
		if l.reserved = l.dueCount(now, limit); l.reserved == 0 {
			return limit // there is nothing to fire
		}
		if at := m.rates.Reserve(now, l.id.Target.Namespace, l.reserved); at.After(now) {
			l.notBefore = at
			l.block(now, at)
		}
	}
	if l.notBefore.After(now) {
		return 0
	}
	return min(limit, l.reserved)
}

// spendQuota notes that so many attempts were taken from l's window, of which so many are fired.
func (m *Machine) spendQuota(now time.Time, l *Lane, taken, fired int) {
	if m.rates == nil {
		return
	}
	l.reserved -= min(l.reserved, taken)
	m.refundQuota(l.id.Target.Namespace, taken-fired)
	if !l.notBefore.IsZero() {
		m.quotaWaited += fired
	}
	if l.dueCount(now, 1) == 0 {
		m.refundQuota(l.id.Target.Namespace, l.reserved)
		l.reserved = 0
	}
	if l.reserved == 0 {
		l.notBefore = time.Time{}
	}
}

// refundQuota gives n triggers back to the quota of a namespace.
func (m *Machine) refundQuota(namespace string, n int) {
	if m.rates != nil && n > 0 {
		m.rates.Cancel(namespace, n)
	}
}

// TakeQuotaWaited returns how many triggers were fired that had waited for a quota, since it was
// called last.
func (m *Machine) TakeQuotaWaited() int {
	n := m.quotaWaited
	m.quotaWaited = 0
	return n
}
