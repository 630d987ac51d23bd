package survey

import "embed"

// Bank holds ready surveys, one file each, named after their ids: a session may name them without the configuration
// defining them. Each says where it comes from.
//
//go:embed bank/*.yaml
var Bank embed.FS
