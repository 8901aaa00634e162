package smtp

import (
	"net"
	"os"
	"strings"
)

// hostName is this machine's full name, if it has one. Otherwise the sender tells its
// network address, as RFC 5321 requires.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || !strings.Contains(name, ".") || net.ParseIP(name) != nil {
		return ""
	}
	return name
}
