package web

// Pages are the paths that a browser can be sent to and that answer with a page.
func (s *Server) Pages() []string {
	var paths []string
	for _, r := range s.routes() {
		if r.get != nil {
			paths = append(paths, r.path)
		}
	}
	return paths
}
