package attendance

// Every key of the package. Those of a session share its hash tag, so that a session lives on one shard.
type keys struct{ prefix string }

func (k keys) of(session, name string) string { return k.prefix + "{" + session + "}:" + name }

// The keys of one session. The marks are in occurrences, connections and people; the others are derived.
func (k keys) session(id string) []string {
	return []string{
		k.counts(id),      // HASH the derived counts, and rev, which moves with every recorded mark
		k.occurrences(id), // HASH occurrence → number|room|start|stop|close|open connections
		k.connections(id), // HASH occurrence.connection → owner;joins;leaves;peers: the marks
		k.people(id),      // HASH person → connections;flags;reported
		k.labels(id),      // HASH label → persons|moment|last|watch
		k.deltas(id),      // HASH label:ms → change of persons under that label
		k.curve(id),       // HASH second → change of present
		k.tree(id),        // HASH level:index → sum,max,at of the curve below
	}
}

func (k keys) counts(id string) string      { return k.of(id, "counts") }
func (k keys) occurrences(id string) string { return k.of(id, "occurrences") }
func (k keys) connections(id string) string { return k.of(id, "connections") }
func (k keys) people(id string) string      { return k.of(id, "people") }
func (k keys) labels(id string) string      { return k.of(id, "labels") }
func (k keys) deltas(id string) string      { return k.of(id, "deltas") }
func (k keys) curve(id string) string       { return k.of(id, "curve") }
func (k keys) tree(id string) string        { return k.of(id, "tree") }

// declared is a STRING: the head count that a host typed.
func (k keys) declared(id string) string { return k.of(id, "declared") }

// names is a SET of the hashes of the words of names seen in the session. No count depends on it.
func (k keys) names(id string) string { return k.of(id, "names") }

// beacons is a ZSET of the connections that beacons keep open, scored by their last heartbeat in ms.
func (k keys) beacons(id string) string { return k.of(id, "beacons") }

// asideSources is a SET of the sources of which events are, or were, aside. The keys of one source share a hash tag, which is never
// a session's id.
func (k keys) asideSources() string { return k.prefix + "aside:sources" }

// asideOf are the keys of what is aside of one source: its rooms, what each of them holds, and when it arrived. See
// lua/aside.lua.
func (k keys) asideOf(source string) []string {
	return []string{k.asideRooms(source), k.asideGroups(source), k.asideArrivals(source)}
}

func (k keys) asideRooms(source string) string    { return k.asideName(source, "rooms") }
func (k keys) asideGroups(source string) string   { return k.asideName(source, "groups") }
func (k keys) asideArrivals(source string) string { return k.asideName(source, "arrivals") }

// asideRoom is a HASH of the events that are aside of one room.
func (k keys) asideRoom(source, token string) string { return k.asideName(source, "room:"+token) }

func (k keys) asideName(source, name string) string { return k.of("aside:"+source, name) }

// asideBefore is a ZSET in which an earlier version kept what is aside, of all sources.
func (k keys) asideBefore() string { return k.prefix + "aside" }
