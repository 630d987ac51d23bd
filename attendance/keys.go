package attendance

// Every key of the package. Those of a session share its hash tag, so that a session lives on one shard.
type keys struct{ prefix string }

func (k keys) of(session, name string) string { return k.prefix + "{" + session + "}:" + name }

// The keys of one session. counts, labels, deltas, curve and tree are derived from the three before them.
func (k keys) session(id string) []string {
	return []string{
		k.of(id, "counts"),      // HASH the derived counts, and rev, which moves with every recorded mark
		k.of(id, "occurrences"), // HASH occurrence → number|room|start|stop|close|open connections
		k.of(id, "connections"), // HASH occurrence.connection → owner;joins;leaves;peers: the marks
		k.of(id, "people"),      // HASH person → connections;flags;reported
		k.of(id, "labels"),      // HASH label → persons|moment|last|watch
		k.of(id, "deltas"),      // HASH label:ms → change of persons under that label
		k.of(id, "curve"),       // HASH second → change of present
		k.of(id, "tree"),        // HASH level:index → sum,max,at of the curve below
	}
}

func (k keys) counts(id string) string      { return k.of(id, "counts") }
func (k keys) occurrences(id string) string { return k.of(id, "occurrences") }
func (k keys) connections(id string) string { return k.of(id, "connections") }
func (k keys) people(id string) string      { return k.of(id, "people") }
func (k keys) curve(id string) string       { return k.of(id, "curve") }

// declared is a STRING: the head count that a host typed.
func (k keys) declared(id string) string { return k.of(id, "declared") }

// names is a SET of the hashes of the words of names seen in the session: no mark, and no part of the counts.
func (k keys) names(id string) string { return k.of(id, "names") }

// beacons is a ZSET of the connections that beacons keep open, scored by their last heartbeat in ms.
func (k keys) beacons(id string) string { return k.of(id, "beacons") }

// sessions is a HASH session id → definition in JSON, shared by all replicas.
func (k keys) sessions() string { return k.prefix + "sessions" }

// claims is a HASH room.occurrence → session id, of rooms that serve several sessions.
func (k keys) claims() string { return k.prefix + "claims" }

// aside is a ZSET of sealed events that no session claims or that cannot be used, scored by arrival in ms; kept for AsideFor.
func (k keys) aside() string { return k.prefix + "aside" }
