package feedback

// Every key of the package. Those of a session share its hash tag, so that a session lives on one shard.
type keys struct{ prefix string }

func (k keys) of(session, name string) string { return k.prefix + "{" + session + "}:fb:" + name }

// rows is a HASH receipt hash → revision and row: the answers. A row stays until the answer is deleted, and its revision after
// that.
func (k keys) rows(session string) string { return k.of(session, "rows") }

// tally is a HASH cell → count of the rows. Aggregates name nobody: it stays.
func (k keys) tally(session string) string { return k.of(session, "tally") }

// promise is a HASH of level, k and minors: what was promised to those who answered.
func (k keys) promise(session string) string { return k.of(session, "promise") }

// versions is a HASH version → definition of the survey as JSON.
func (k keys) versions(session string) string { return k.of(session, "versions") }

// pending is a ZSET of the receipt hashes whose answers differ from what is shown of them, all scored 0: a set, small as
// it is, would keep the order in which they came.
func (k keys) pending(session string) string { return k.of(session, "pending") }

// shown is a HASH receipt hash → row as it is shown.
func (k keys) shown(session string) string { return k.of(session, "shown") }

// shownTally is a HASH cell → count of what is shown and of what is gone.
func (k keys) shownTally(session string) string { return k.of(session, "shown:tally") }

// gone is a HASH id → tombstone of a deleted answer that the shown figures still count. Ids are random: nothing leads back to a
// receipt.
func (k keys) gone(session string) string { return k.of(session, "gone") }

// moderated is a HASH text id → revision, decision, and the receipt hash of the answer that it stands in.
func (k keys) moderated(session string) string { return k.of(session, "moderated") }

// invites is a HASH invitation hash → "segment|", or "segment|hash of the form that used it".
func (k keys) invites(session string) string { return k.of(session, "invites") }

// draft is a HASH of "content" and "counted". It expires.
func (k keys) draft(session, hash string) string { return k.of(session, "draft:"+hash) }

// progress are a HASH of what drafts count as, the same as last published, and the SET of drafts changed since.
func (k keys) progress(session string) []string {
	return []string{k.of(session, "progress"), k.of(session, "progress:shown"), k.of(session, "progress:pending")}
}

// figures are the keys that figures are read from, see lua/read.lua.
func (k keys) figures(session string) []string {
	return []string{k.rows(session), k.pending(session), k.shown(session), k.shownTally(session), k.gone(session), k.tally(session)}
}

// answer are the keys that an answer is written to, see lua/apply.lua.
func (k keys) answer(session string) []string {
	return []string{
		k.rows(session), k.tally(session), k.pending(session), k.shown(session), k.gone(session), k.promise(session), k.versions(session),
	}
}

// aside are the keys of what is aside of one source, see lua/aside.lua: no session's id is their hash tag.
func (k keys) aside(source string) []string {
	names := []string{"rows", "arrivals", "room", "rooms"}
	for i, name := range names {
		names[i] = k.of("fb:aside:"+source, name)
	}
	return names
}

// asideSources is a SET of the sources that something is, or was, aside of.
func (k keys) asideSources() string { return k.prefix + "fb:aside:sources" }

// asideBefore are the two keys under which an earlier version kept what is aside, of all sources: rows and arrivals.
func (k keys) asideBefore() []string {
	return []string{k.prefix + "{fb:aside}:rows", k.prefix + "{fb:aside}:arrivals"}
}
