package etcdstore

import (
	"encoding/binary"
	"math/bits"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// pageBounds chooses the end key of each page of a scan. For each page, etcd counts all keys from
// its start to its end key, however few are requested: a full scan would take quadratic time. So a
// page ends some distance beyond where it would be full if its keys were as dense as those of the
// page before. The zero value is ready to use.
type pageBounds struct {
	last  string // last key that was read
	at    int    // offset of the eight bytes in a key that are compared as a number
	width uint64 // width of the last page, as a difference of such numbers
	times uint64 // how many such widths beyond last the next page may reach
}

// learn records the page that began at from, and how many keys the next one should have.
func (p *pageBounds) learn(from string, kvs []*mvccpb.KeyValue, next int) {
	first, last := from, string(kvs[len(kvs)-1].Key)
	if p.last == "" { // the first key may be far from where the page began
		first = string(kvs[0].Key)
	}
	at := 0
	for at < len(first) && at < len(last) && first[at] == last[at] {
		at++
	}
	const carry = 3 // bytes that keys have in common and may change in the next page
	p.last, p.at = last, max(0, at-carry)
	p.width = number(last, p.at) - number(first, p.at)
	p.times = uint64(next/len(kvs) + 1)
}

// end returns the end key of a page from from, at most to. A page with such an end may be empty;
// then the next one reaches much further.
func (p *pageBounds) end(from, to string) string {
	if p.width == 0 {
		return to
	}
	for {
		high, low := bits.Mul64(p.width, p.times)
		sum, carry := bits.Add64(number(p.last, p.at), low, 0)
		if high > 0 || carry > 0 {
			return to
		}
		p.times *= 16
		end := string(binary.BigEndian.AppendUint64([]byte(p.last[:p.at]), sum))
		if end >= to {
			return to
		}
		if end > from {
			return end
		}
	}
}

// number returns the eight bytes of key at an offset as a number; missing bytes are zero.
func number(key string, at int) uint64 {
	var b [8]byte
	copy(b[:], key[min(at, len(key)):])
	return binary.BigEndian.Uint64(b[:])
}
