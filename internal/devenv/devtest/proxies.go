package devtest

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"bascule/internal/devenv"
)

// Nginx runs a real nginx with these server blocks until the test ends. It returns once
// nginx accepts connections at the addresses.
func Nginx(t testing.TB, servers string, addrs ...string) {
	t.Helper()
	dir := t.TempDir()
	temporary := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary += kind + "_temp_path " + filepath.Join(dir, kind) + ";\n"
	}
	config := "daemon off;\nmaster_process off;\npid " + filepath.Join(dir, "pid") + ";\nerror_log stderr;\nevents {}\n" +
		"http {\naccess_log off;\n" + temporary + servers + "}\n"
	startProxy(t, "nginx", "nginx-light", config, addrs, func(file string) []string { return []string{"-p", dir, "-e", "stderr", "-c", file} })
}

// HAProxy runs a real HAProxy with these sections until the test ends. It returns once
// HAProxy accepts connections at the addresses.
func HAProxy(t testing.TB, sections string, addrs ...string) {
	t.Helper()
	startProxy(t, "haproxy", "haproxy", sections, addrs, func(file string) []string { return []string{"-db", "-f", file} })
}

// Apache runs a real Apache httpd with these sections until the test ends. It returns once
// Apache accepts connections at the addresses.
func Apache(t testing.TB, sections string, addrs ...string) {
	t.Helper()
	dir := t.TempDir()
	config := "ServerName localhost\nServerRoot " + dir + "\nPidFile pid\nMutex file:" + dir + "\nErrorLog /dev/stderr\nUser nobody\nGroup nogroup\n"
	for _, module := range []string{"mpm_event", "authz_core", "socache_shmcb", "ssl", "headers", "proxy", "proxy_http"} {
		config += "LoadModule " + module + "_module /usr/lib/apache2/modules/mod_" + module + ".so\n"
	}
	for _, addr := range addrs {
		config += "Listen " + addr + "\n"
	}
	startProxy(t, "apache2", "apache2-bin", config+sections, addrs, func(file string) []string { return []string{"-X", "-f", file} })
}

// proxyPatience is how long a proxy may take to start on a busy machine.
const proxyPatience = time.Minute

// startProxy runs a program of a Debian package with a configuration.
func startProxy(t testing.TB, program, debian, config string, addrs []string, args func(file string) []string) {
	t.Helper()
	path, err := findProxy(program)
	if err != nil {
		t.Fatalf("%v; make test installs it (Debian, Ubuntu: apt-get install %s)", err, debian)
	}
	file := filepath.Join(t.TempDir(), program+".conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	said := new(bytes.Buffer) // read once the program has ended
	cmd := exec.Command(path, args(file)...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p, err := devenv.StartProcess(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", program, said)
		}
	})
	waitTaking(t, program, p.Done(), addrs)
}

// findProxy also looks in Debian's folders for administrators' programs, which the PATH
// of a user may lack.
func findProxy(program string) (string, error) {
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrNotFound) {
		return exec.LookPath("/usr/sbin/" + program)
	}
	return path, err
}

// waitTaking waits until somebody accepts connections at the addresses.
func waitTaking(t testing.TB, program string, gone <-chan struct{}, addrs []string) {
	t.Helper()
	tick, timeout := time.NewTicker(10*time.Millisecond), time.After(proxyPatience)
	defer tick.Stop()
	for len(addrs) > 0 {
		if c, err := net.Dial("tcp", addrs[0]); err == nil {
			c.Close()
			addrs = addrs[1:]
			continue
		}
		select {
		case <-tick.C:
		case <-gone:
			t.Fatalf("%s did not start", program)
		case <-timeout:
			t.Fatalf("%s does not listen at %s", program, addrs[0])
		}
	}
}
