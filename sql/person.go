package sql

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"bascule/internal/text"
)

// A Role is what a person may do (D18).
type Role string

// The roles. Whoever has one may read.
const (
	RoleRead    Role = "lecture"     // look at everything
	RoleAssist  Role = "assistance"  // help one subscriber
	RolePrepare Role = "préparation" // import, write a message, correct
	RoleLaunch  Role = "lancement"   // let mails leave, end campaigns, say who may act
)

var roleNames = map[string]Role{
	"lecture": RoleRead, "read": RoleRead, "assistance": RoleAssist, "assist": RoleAssist,
	"preparation": RolePrepare, "prepare": RolePrepare, "lancement": RoleLaunch, "launch": RoleLaunch,
}

// ParseRoles reads roles by their names in French or English, whatever case and accents.
func ParseRoles(names ...string) (roles []Role, err error) {
	for _, name := range names {
		role, ok := roleNames[text.Fold(name)]
		if !ok {
			return nil, fmt.Errorf("%q is no role: give lecture, assistance, préparation or lancement", name)
		}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles, nil
}

// A Person may act by the account of the machine.
type Person struct {
	Account string `db:"account" json:"account"`
	Name    string `db:"name" json:"name"`
	Roles   []Role `db:"-" json:"roles"` // at least one
}

// may tells whether the roles of a person include one.
func (p Person) may(r Role) bool { return r == RoleRead || slices.Contains(p.Roles, r) }

// A RoleError says that somebody may not do something.
type RoleError struct {
	Account string
	Role    Role // that is missing
}

func (e *RoleError) Error() string {
	return fmt.Sprintf("the account %s has not the role %s: `bascule person list` tells who has", e.Account, e.Role)
}

var (
	//go:embed query/persons.sql
	persons string
	//go:embed query/prepared_by.sql
	preparedBy string
	//go:embed query/more_wait.sql
	moreWait string
	//go:embed query/more_leave.sql
	moreLeave string
)

// Persons lists who may act, by account. Without any, everybody may.
func (db *DB) Persons(ctx context.Context) ([]Person, error) { return personsOf(ctx, db.x) }

func personsOf(ctx context.Context, q sqlx.QueryerContext) (list []Person, err error) {
	var rows []struct {
		Person
		Roles pq.StringArray `db:"roles"`
	}
	err = sqlx.SelectContext(ctx, q, &rows, persons)
	for _, r := range rows {
		for _, role := range r.Roles {
			r.Person.Roles = append(r.Person.Roles, Role(role))
		}
		list = append(list, r.Person)
	}
	return list, wrap(err, "list the persons")
}

// CheckRoles returns a *RoleError unless the account has the roles, or nobody is
// registered. It tells whether somebody is.
func (db *DB) CheckRoles(ctx context.Context, account string, roles []Role) (registered bool, err error) {
	list, err := db.Persons(ctx)
	if err != nil || len(list) == 0 {
		return false, err
	}
	return true, checkRoles(list, account, roles...)
}

func checkRoles(list []Person, account string, roles ...Role) error {
	at := slices.IndexFunc(list, func(p Person) bool { return p.Account == account })
	for _, role := range roles {
		if at < 0 || !list[at].may(role) {
			return &RoleError{account, role}
		}
	}
	return nil
}

// Errors of changes of persons.
var (
	ErrPersonKnown   = errors.New("the account is a person's already: `bascule person role` changes the roles")
	ErrPersonUnknown = errors.New("no person has the account: `bascule person list` tells who has one")
	ErrFirstPerson   = errors.New("register your own account first, with the role lancement: from then on each needs a role")
	ErrNoLauncher    = errors.New("nobody would have the role lancement, which says who may act: give it to somebody first")
)

// AddPerson registers a person. It returns ErrPersonKnown, a *RoleError unless the actor
// may register others, and ErrFirstPerson unless the first one is the actor.
func (db *DB) AddPerson(ctx context.Context, p Person, actor string) error {
	return db.changePerson(ctx, p.Account, actor, func(known Person) (Person, error) {
		if known.Account != "" {
			return known, ErrPersonKnown
		}
		return p, nil
	})
}

// SetRoles gives a person other roles, and removes the person if there are none. It
// returns ErrPersonUnknown, a *RoleError and ErrNoLauncher. The last person may be
// removed.
func (db *DB) SetRoles(ctx context.Context, account string, roles []Role, actor string) error {
	return db.changePerson(ctx, account, actor, func(known Person) (Person, error) {
		if known.Account == "" {
			return known, ErrPersonUnknown
		}
		known.Roles = roles
		return known, nil
	})
}

// changePerson changes what is known of an account. It looks at the actor's role anew:
// somebody may have taken it meanwhile.
func (db *DB) changePerson(ctx context.Context, account, actor string, change func(known Person) (Person, error)) error {
	err := db.inTx(ctx, func(tx *sqlx.Tx) error {
		if err := run(ctx, tx, do(lockExclusively, personLock)); err != nil {
			return err
		}
		list, err := personsOf(ctx, tx)
		if err != nil {
			return err
		}
		p, err := changed(list, account, actor, change)
		if err != nil {
			return err
		}
		return run(ctx, tx, do(`INSERT INTO person (at, account, name, roles, actor) VALUES ((SELECT bascule_now()), $1, $2, $3, $4)`,
			account, p.Name, pq.Array(append([]Role{}, p.Roles...)), actor)) // not NULL
	})
	return wrap(err, "account %s", account)
}

// changed is a person after a change, if somebody could say who may act then, or nobody
// is left.
func changed(list []Person, account, actor string, change func(known Person) (Person, error)) (p Person, err error) {
	first := len(list) == 0
	if !first {
		err = checkRoles(list, actor, RoleLaunch)
	}
	if err != nil {
		return p, err
	}
	if at := slices.IndexFunc(list, func(p Person) bool { return p.Account == account }); at >= 0 {
		p = list[at]
		list = slices.Delete(list, at, at+1)
	}
	if p, err = change(p); err != nil {
		return p, err
	}
	if first && (account != actor || !p.may(RoleLaunch)) {
		return p, ErrFirstPerson
	}
	if len(p.Roles) > 0 {
		list = append(list, p)
	}
	if len(list) > 0 && !slices.ContainsFunc(list, func(p Person) bool { return p.may(RoleLaunch) }) {
		return p, ErrNoLauncher
	}
	return p, nil
}

// A FourEyesError says that who prepared a campaign wants to launch it.
type FourEyesError struct {
	Account string
	Above   int  // mails
	Running bool // the campaign is running: what is prepared leaves at once
}

func (e *FourEyesError) Error() string {
	advice := "ask a person who has neither imported nor corrected rows nor written the message"
	if e.Running {
		advice = "do this without --start, while the campaign is not running; somebody else starts or resumes it then"
	}
	return fmt.Sprintf("%s prepared the campaign, and above %d mails (FOUR_EYES) somebody else launches: %s", e.Account, e.Above, advice)
}

// RequireFourEyes keeps whoever prepared a campaign from launching more than so many
// mails of it (D18). The caller says so before the pool is used.
func (db *DB) RequireFourEyes(above int) { db.fourEyes = &above }

// CheckLaunch returns a *FourEyesError if the actor may not launch the campaign.
func (db *DB) CheckLaunch(ctx context.Context, c Campaign, actor string) error {
	return db.checkLaunch(ctx, db.x, c, actor)
}

func (db *DB) checkLaunch(ctx context.Context, q sqlx.QueryerContext, c Campaign, actor string) error {
	if db.fourEyes == nil {
		return nil
	}
	if more, err := get[bool](ctx, q, moreWait, c.ID, *db.fourEyes); err != nil || !more {
		return err
	}
	return db.checkPrepared(ctx, q, pq.Int64Array{c.ID}, c.State == CampaignRunning, actor)
}

// checkPrepared returns a *FourEyesError if the actor prepared one of the campaigns.
func (db *DB) checkPrepared(ctx context.Context, q sqlx.QueryerContext, campaigns pq.Int64Array, running bool, actor string) error {
	prepared, err := get[bool](ctx, q, preparedBy, campaigns, actor)
	if err == nil && prepared {
		err = &FourEyesError{actor, *db.fourEyes, running}
	}
	return err
}

// checkRetry is checkLaunch for further requests after these, which go into a campaign;
// if it is 0, into those of the requests before.
func (db *DB) checkRetry(ctx context.Context, q sqlx.QueryerContext, requests []int64, into int64, actor string) error {
	if db.fourEyes == nil || len(requests) <= *db.fourEyes {
		return nil
	}
	var campaigns pq.Int64Array
	err := sqlx.SelectContext(ctx, q, &campaigns, `SELECT campaign_id FROM request WHERE id = ANY ($1) AND campaign_id IS NOT NULL UNION SELECT $2`, pq.Array(requests), into)
	if err != nil {
		return err
	}
	return db.checkPrepared(ctx, q, campaigns, false, actor)
}

// checkRows is checkLaunch for the rows of an import, which its actor prepares.
func (r *importRun) checkRows(ctx context.Context) error {
	if r.db.fourEyes == nil {
		return nil
	}
	more, err := get[bool](ctx, r.tx, moreLeave, *r.db.fourEyes)
	if err == nil && more {
		err = &FourEyesError{r.Actor, *r.db.fourEyes, true}
	}
	return err
}
