package management

import (
	"slices"
	"strings"

	pb "carillon/internal/managementv1"
)

// A verb is one thing that a caller may do.
type verb string

const (
	verbGet     verb = "jobs.get"
	verbList    verb = "jobs.list"
	verbPayload verb = "jobs.payload"
	verbExplain verb = "schedules.explain"

	verbGetApp    verb = "apps.get"
	verbListApps  verb = "apps.list"
	verbGetNode   verb = "nodes.get"
	verbListNodes verb = "nodes.list"
)

// A role is a set of verbs with a name. Each role has the verbs of those before it.
type role uint8

const (
	viewer role = iota
	operator
	admin
)

// roles returns the roles by their names.
func roles() map[string]role {
	return map[string]role{"viewer": viewer, "operator": operator, "admin": admin}
}

// verbs returns all verbs, with the first role that has each.
func verbs() map[verb]role {
	return map[verb]role{
		verbGet:     viewer,
		verbList:    viewer,
		verbPayload: operator,
		verbExplain: viewer,

		verbGetApp:    viewer,
		verbListApps:  viewer,
		verbGetNode:   viewer, // without a scope
		verbListNodes: viewer, // without a scope
	}
}

// A permission is what a method of the API requires.
type permission struct {
	verb    verb
	audited bool // each call is a line in the audit log
}

// permissions returns what each method requires. A method that is not among them is refused.
func permissions() map[string]permission {
	return map[string]permission{
		// With the view FULL it also needs verbPayload, and is audited.
		pb.Management_GetJob_FullMethodName:                  {verb: verbGet},
		pb.Management_ListJobs_FullMethodName:                {verb: verbList},
		pb.Management_CountJobs_FullMethodName:               {verb: verbList},
		pb.Management_ExplainJob_FullMethodName:              {verb: verbGet},
		pb.Management_ListUpcomingOccurrences_FullMethodName: {verb: verbGet},
		pb.Management_ExplainSchedule_FullMethodName:         {verb: verbExplain},
		pb.Management_GetApp_FullMethodName:                  {verb: verbGetApp},
		pb.Management_ListApps_FullMethodName:                {verb: verbListApps},
		pb.Management_GetNode_FullMethodName:                 {verb: verbGetNode},
		pb.Management_ListNodes_FullMethodName:               {verb: verbListNodes},
		pb.Management_GetForecast_FullMethodName:             {verb: verbList},
		pb.Management_ListBusySchedules_FullMethodName:       {verb: verbList},
		pb.Management_GetAttention_FullMethodName:            {verb: verbList},
	}
}

// verbNames returns all verbs for a message, in order.
func verbNames() string {
	var all []string
	for v := range verbs() {
		all = append(all, string(v))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
