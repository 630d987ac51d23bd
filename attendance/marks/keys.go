package marks

// Keys are those of the package. Those of a session share its hash tag, so that a session lives on one shard.
type Keys struct{ Prefix string }

// Of is a key of a session.
func (k Keys) Of(session, name string) string { return k.Prefix + "{" + session + "}:" + name }

// Session lists the keys that marks are kept in. The marks are in occurrences, connections and people; the others are derived. record.lua
// says how values are written.
func (k Keys) Session(id string) []string {
	return []string{
		k.Counts(id),      // STRING the derived counts (see CountNames), and rev, which moves with every recorded mark
		k.Occurrences(id), // HASH occurrence → room|touches|number,start,stop,close,open|…
		k.Connections(id), // HASH connection → owner;number;peers: an index of people
		k.People(id),      // HASH person → connections with their marks;flags;reported;name
		k.Labels(id),      // HASH label → persons|moment|last|watch
		k.Log(id),         // STRING label:ms±ms±…;…: changes of persons under that label, appended
		k.Guests(id),      // HASH name → guests of that name who have been seen
	}
}

// The keys of one session.

// Counts is a STRING.
func (k Keys) Counts(id string) string { return k.Of(id, "figures") }

// Occurrences is a HASH.
func (k Keys) Occurrences(id string) string { return k.Of(id, "openings") }

// Connections is a HASH.
func (k Keys) Connections(id string) string { return k.Of(id, "devices") }

// People is a HASH.
func (k Keys) People(id string) string { return k.Of(id, "persons") }

// Labels is a HASH.
func (k Keys) Labels(id string) string { return k.Of(id, "inside") }

// Log is a STRING.
func (k Keys) Log(id string) string { return k.Of(id, "log") }

// Guests is a HASH.
func (k Keys) Guests(id string) string { return k.Of(id, "guests") }

// Declared is a STRING: the head count that a host typed.
func (k Keys) Declared(id string) string { return k.Of(id, "declared") }

// Names is a SET of the hashes of the words of names seen in the session. No count depends on it.
func (k Keys) Names(id string) string { return k.Of(id, "names") }
