package attendance

// Every key of the package. Those of a session share its hash tag, so that a session lives on one shard.
type keys struct{ prefix string }

func (k keys) of(session, name string) string { return k.prefix + "{" + session + "}:" + name }

// The keys of one session. The marks are in occurrences, connections and people; the others are derived. record.lua says how values are
// written.
func (k keys) session(id string) []string {
	return []string{
		k.counts(id),      // STRING the derived counts (see counts.go), and rev, which moves with every recorded mark
		k.occurrences(id), // HASH occurrence → room|touches|number,start,stop,close,open|…
		k.connections(id), // HASH connection → owner;peers: an index of people
		k.people(id),      // HASH person → connections with their marks;flags;reported;name
		k.labels(id),      // HASH label → persons|moment|last|watch
		k.log(id),         // STRING label:ms±ms±…;…: changes of persons under that label, appended
		k.guests(id),      // HASH name → guests of that name who have been seen
	}
}

func (k keys) counts(id string) string      { return k.of(id, "figures") }
func (k keys) occurrences(id string) string { return k.of(id, "openings") }
func (k keys) connections(id string) string { return k.of(id, "devices") }
func (k keys) people(id string) string      { return k.of(id, "persons") }
func (k keys) labels(id string) string      { return k.of(id, "inside") }
func (k keys) log(id string) string         { return k.of(id, "log") }
func (k keys) guests(id string) string      { return k.of(id, "guests") }

// byID is a SET of the sessions in which the best id of a person is the person, although the platform gives an e-mail address: they
// began when that was the rule.
func (k keys) byID() string { return k.prefix + "persons-by-id" }

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

// moving is a HASH of the sealed events of an occurrence that may still go to another session: event's id → event.
func (k keys) moving(occurrence string) string { return k.of("moving:"+occurrence, "events") }

// forgetting is there while a process takes an occurrence out of a session.
func (k keys) forgetting(id string) string { return k.of(id, "forgetting") }

// counted is a HASH of the openings that were counted by hand and may be put back aside.
func (k keys) counted() string { return k.prefix + "aside:counted" }
