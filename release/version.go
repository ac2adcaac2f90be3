package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// valid are the versions of releases. From 2 on, module paths would have to end
// in the major version.
var valid = regexp.MustCompile(`^v[01]\.(0|[1-9]\d*)\.(0|[1-9]\d*)$`)

// latestVersion returns the version of the last release, or "" if there is
// none. All modules must have it, and HEAD must contain it.
func latestVersion(ctx context.Context, root string) (string, error) {
	text, err := output(ctx, command{dir: root}, "git", "tag", "--list")
	if err != nil {
		return "", err
	}
	tags := strings.Fields(text)
	latest := ""
	for _, tag := range tags {
		if valid.MatchString(tag) && (latest == "" || semver.Compare(tag, latest) > 0) {
			latest = tag
		}
	}
	if latest == "" {
		return "", nil
	}
	for _, m := range modules {
		if m.isIn(ctx, root, latest) && !slices.Contains(tags, m.tag(latest)) {
			return "", fmt.Errorf("the last release is incomplete: there is no tag %s", m.tag(latest))
		}
	}
	if _, err := output(ctx, command{dir: root}, "git", "merge-base", "--is-ancestor", latest, "HEAD"); err != nil {
		return "", fmt.Errorf("HEAD does not contain the last release: %w", err)
	}
	return latest, nil
}

// checkVersion checks that a version may follow the latest one. "" stands for
// the next minor version, which is returned.
func checkVersion(version, latest string) (string, error) {
	if version == "" {
		if latest == "" {
			return "v0.1.0", nil
		}
		var minor int
		if _, err := fmt.Sscanf(semver.MajorMinor(latest), semver.Major(latest)+".%d", &minor); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s.%d.0", semver.Major(latest), minor+1), nil
	}
	switch {
	case !valid.MatchString(version):
		return "", fmt.Errorf("%s is not a version such as v0.1.0, below 2", version)
	case latest != "" && semver.Compare(version, latest) <= 0:
		return "", fmt.Errorf("%s does not follow the last release, %s", version, latest)
	}
	return version, nil
}

// checkCompatibility returns an error if the incompatible changes of an API
// since the latest version need a greater step.
func checkCompatibility(version, latest, incompatible string) error {
	switch {
	case incompatible == "" || latest == "":
		return nil
	case semver.Major(version) == semver.Major(latest) && semver.Major(version) != "v0":
		return fmt.Errorf("incompatible changes need a new major version:\n%s", incompatible)
	case semver.MajorMinor(version) == semver.MajorMinor(latest):
		return fmt.Errorf("incompatible changes need a new minor version:\n%s", incompatible)
	}
	return nil
}

// checkChangelog checks that the changelog has entries for a version. If it is
// "", the changelog only needs a place for entries: directly after a release
// there are none.
func checkChangelog(text, version string) error {
	heading, pattern := "## [Unreleased]", `## \[Unreleased\]`
	if version != "" {
		number := strings.TrimPrefix(version, "v")
		heading, pattern = "## ["+number+"] - YYYY-MM-DD", `## \[`+regexp.QuoteMeta(number)+`\] - \d{4}-\d{2}-\d{2}`
	}
	at := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringIndex(text)
	if at == nil {
		return fmt.Errorf("%s has no heading %s", changelogFile, heading)
	}
	section, _, _ := strings.Cut(text[at[1]:], "\n## ")
	if version != "" && !strings.Contains(section, "\n- ") {
		return fmt.Errorf("%s has no entries below %s", changelogFile, heading)
	}
	return nil
}
