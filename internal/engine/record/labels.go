package record

import "carillon/internal/job"

// labels appends labels: their number, and each key with its value.
func (e *encoder) labels(all []job.Label) {
	e.uint(uint64(len(all)))
	for _, l := range all {
		e.string(l.Key)
		e.string(l.Value)
	}
}

// labels reads what [encoder.labels] has written. Keys have to be in order, and differ.
func (d *decoder) labels() (all []job.Label) {
	n := d.uint()
	if n == 0 || n > uint64(len(d.rest)) { // none are not written, and each takes two bytes
		d.fail()
		return nil
	}
	for range n {
		l := job.Label{Key: d.string(), Value: d.string()}
		if d.failed || len(all) > 0 && all[len(all)-1].Key >= l.Key {
			d.fail()
			return nil
		}
		all = append(all, l)
	}
	return all
}
