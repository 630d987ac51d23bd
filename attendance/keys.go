package attendance

// Every key of the package. Those of a session share its hash tag, so that a session lives on one shard.
type keys struct{ prefix string }

func (k keys) of(session, name string) string { return k.prefix + "{" + session + "}:" + name }

// byID is a SET of the sessions in which the best id of a person is the person, although the platform gives an e-mail address: they
// began when that was the rule.
func (k keys) byID() string { return k.prefix + "persons-by-id" }

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
