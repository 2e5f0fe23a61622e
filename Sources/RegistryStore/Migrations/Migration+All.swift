// Written by deploy/generate-migrations.
extension Migration {
    /// Every migration, in the order of application.
    static let all: [Migration] = [m0001, m0002, m0003, m0004, m0005, m0006, m0007]
}
