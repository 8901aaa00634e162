package smtp

import (
	"net"
	"os"
	"strings"
)

// HostName is this machine's full name, if it has one. Otherwise the sender tells its
// network address, as RFC 5321 requires.
func HostName() string {
	name, err := os.Hostname()
	if err != nil || !strings.Contains(name, ".") || net.ParseIP(name) != nil {
		return ""
	}
	return name
}
