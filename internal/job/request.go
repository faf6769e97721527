package job

// A Request asks to store a job. An existing job with the same key is replaced if Overwrite is set.
// If Remove is set, it asks to remove the job, and only Key matters.
type Request struct {
	Key       Key
	Spec      Spec
	Overwrite bool
	Remove    bool
}
