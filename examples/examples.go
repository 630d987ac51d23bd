// Package examples holds the example programme that jauge runs without a configuration: the cycle Conversations
// diplomatiques, four video meetings of an ambassador in April 2020.
package examples

import "embed"

// Files holds the programme. Its sessions ask one of the ready surveys.
//
//go:embed jauge.yaml
var Files embed.FS

// Programme is the configuration's name in Files.
const Programme = "jauge.yaml"
