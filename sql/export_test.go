package sql

// ByIndex is what a worker's connections are set to.
const ByIndex = byIndex
