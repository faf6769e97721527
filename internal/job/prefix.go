package job

// A Prefix names the keys of a kind and a namespace whose further parts begin with Parts, and whose
// next part begins with the bytes of Rest. The further parts are the target's name, the actor id of
// a reminder, and the job's name.
type Prefix struct {
	Kind      Kind
	Namespace string
	Parts     []string
	Rest      string
}
