package wire

// NextDueHeader is the metadata in which our scheduler and our sidecar say when the job of a GetJob
// is due next: the instant of its next attempt, in RFC 3339, in UTC. The header of the HTTP API has
// the same name. It is absent if there is no such instant, or the scheduler is Dapr's.
const NextDueHeader = "carillon-next-due"
