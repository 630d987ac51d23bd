package programme

// Both keys of the package are shared by all sessions and replicas.
type keys struct{ prefix string }

// sessions is a HASH session id → definition in JSON.
func (k keys) sessions() string { return k.prefix + "sessions" }

// claims is a HASH occurrence → the claim of a session: see tenure.
func (k keys) claims() string { return k.prefix + "claims" }
