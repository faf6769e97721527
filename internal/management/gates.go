package management

import (
	"fmt"
	"time"

	"carillon/internal/engine"
	pb "carillon/internal/managementv1"
)

// gates returns all gates that a trigger of the job passes, in their order. at is how far the job
// has got, which need not be due.
func gates(v *engine.JobView, at engine.DueProgress, now time.Time) []*pb.Gate {
	all := []*pb.Gate{gateDue(v, now), gateOwner(at)}
	if all[1].GetStatus() != pb.Gate_OPEN { // only the owner knows
		for _, t := range []pb.Gate_Type{
			pb.Gate_STORE_COMMITS, pb.Gate_WITHIN_LIMITS, pb.Gate_SIDECAR_CONNECTED, pb.Gate_SIDECAR_CAPACITY,
		} {
			all = append(all, gate(t, pb.Gate_UNKNOWN, "only the owner of the job knows", time.Time{}))
		}
	} else {
		all = append(all, gateStore(at), gateLimits(at), gateConnected(at), gateCapacity(at))
	}
	return append(all, gateApp(v, at))
}

// gate returns a gate. A zero since says that it is not known.
func gate(t pb.Gate_Type, status pb.Gate_Status, message string, since time.Time) *pb.Gate {
	return &pb.Gate{Type: t, Status: status, Message: message, SinceTime: timestamp(since)}
}

func gateDue(v *engine.JobView, now time.Time) *pb.Gate {
	if v.Due.After(now) {
		return gate(pb.Gate_DUE, pb.Gate_CLOSED, "the next attempt is due at "+instant(v.Due), time.Time{})
	}
	return gate(pb.Gate_DUE, pb.Gate_OPEN, "it is due", v.Due)
}

func gateOwner(at engine.DueProgress) *pb.Gate {
	switch at.Holdup {
	case engine.HoldupUnreachable:
		return gate(pb.Gate_OWNER, pb.Gate_UNKNOWN, "the node that owns the job does not answer", time.Time{})
	case engine.HoldupNotOwner, engine.HoldupLoading:
		return gate(pb.Gate_OWNER, pb.Gate_CLOSED, overdueMessage(at.Holdup), at.Since)
	default:
		return gate(pb.Gate_OWNER, pb.Gate_OPEN, "a node owns the partition of the job", time.Time{})
	}
}

func gateStore(at engine.DueProgress) *pb.Gate {
	switch {
	case at.Holdup == engine.HoldupStuck:
		return gate(pb.Gate_STORE_COMMITS, pb.Gate_CLOSED, overdueMessage(engine.HoldupStuck), at.Since)
	case at.StoreFull:
		return gate(pb.Gate_STORE_COMMITS, pb.Gate_CLOSED, overdueMessage(engine.HoldupStoreFull), time.Time{})
	}
	return gate(pb.Gate_STORE_COMMITS, pb.Gate_OPEN, "the store of the owner commits", time.Time{})
}

func gateLimits(at engine.DueProgress) *pb.Gate {
	switch at.Holdup {
	case engine.HoldupThrottled, engine.HoldupQuota, engine.HoldupConcurrency:
		return gate(pb.Gate_WITHIN_LIMITS, pb.Gate_CLOSED, overdueMessage(at.Holdup), at.Since)
	case engine.HoldupStuck:
		return gate(pb.Gate_WITHIN_LIMITS, pb.Gate_UNKNOWN, "the owner does not say it while its store does not commit", time.Time{})
	default:
		return gate(pb.Gate_WITHIN_LIMITS, pb.Gate_OPEN, "no limit holds it", time.Time{})
	}
}

func gateConnected(at engine.DueProgress) *pb.Gate {
	switch at.Receivers {
	case engine.ReceiversAbsent:
		since := time.Time{}
		if at.Holdup == engine.HoldupNoReceiver {
			since = at.Since
		}
		return gate(pb.Gate_SIDECAR_CONNECTED, pb.Gate_CLOSED, overdueMessage(engine.HoldupNoReceiver), since)
	case engine.ReceiversFull, engine.ReceiversReady:
		return gate(pb.Gate_SIDECAR_CONNECTED, pb.Gate_OPEN, "a sidecar is connected to the owner", time.Time{})
	default:
		return gate(pb.Gate_SIDECAR_CONNECTED, pb.Gate_UNKNOWN, "the owner does not say it", time.Time{})
	}
}

func gateCapacity(at engine.DueProgress) *pb.Gate {
	switch at.Receivers {
	case engine.ReceiversAbsent:
		return gate(pb.Gate_SIDECAR_CAPACITY, pb.Gate_UNKNOWN, "no sidecar is connected", time.Time{})
	case engine.ReceiversFull:
		since := time.Time{}
		if at.Holdup == engine.HoldupParked {
			since = at.Since
		}
		return gate(pb.Gate_SIDECAR_CAPACITY, pb.Gate_CLOSED, overdueMessage(engine.HoldupParked), since)
	case engine.ReceiversReady:
		return gate(pb.Gate_SIDECAR_CAPACITY, pb.Gate_OPEN, "a sidecar takes another trigger", time.Time{})
	default:
		return gate(pb.Gate_SIDECAR_CAPACITY, pb.Gate_UNKNOWN, "the owner does not say it", time.Time{})
	}
}

func gateApp(v *engine.JobView, at engine.DueProgress) *pb.Gate {
	switch n := v.State.Attempts; {
	case at.Holdup == engine.HoldupInFlight:
		return gate(pb.Gate_APP_ANSWERS, pb.Gate_CLOSED, fmt.Sprintf("attempt %d is with a sidecar, and has no answer", n+1), at.Since)
	case at.Holdup == engine.HoldupReplaced:
		return gate(pb.Gate_APP_ANSWERS, pb.Gate_CLOSED, overdueMessage(at.Holdup), at.Since)
	case n > 0:
		return gate(pb.Gate_APP_ANSWERS, pb.Gate_CLOSED, fmt.Sprintf("%d attempts at this occurrence have failed", n), time.Time{})
	case v.State.Settled > 0:
		return gate(pb.Gate_APP_ANSWERS, pb.Gate_OPEN, "the last occurrence is over: it was that of "+instant(v.State.Last), time.Time{})
	}
	return gate(pb.Gate_APP_ANSWERS, pb.Gate_UNKNOWN, "the app has had no trigger of the job since it was scheduled", time.Time{})
}
