/// The number (OID) of a type. The constants are those of the server's catalogue `pg_type`.
public struct PostgresType: RawRepresentable, Hashable, Sendable {
    /// The OID.
    public let rawValue: UInt32

    /// Takes an OID.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Not known: the rows of a COPY carry no types.
    public static let unknown = PostgresType(rawValue: 0)
    /// `boolean`
    public static let bool = PostgresType(rawValue: 16)
    /// `bytea`
    public static let bytea = PostgresType(rawValue: 17)
    /// `name`
    public static let name = PostgresType(rawValue: 19)
    /// `bigint`
    public static let int8 = PostgresType(rawValue: 20)
    /// `smallint`
    public static let int2 = PostgresType(rawValue: 21)
    /// `integer`
    public static let int4 = PostgresType(rawValue: 23)
    /// `text`
    public static let text = PostgresType(rawValue: 25)
    /// `oid`
    public static let oid = PostgresType(rawValue: 26)
    /// `json`
    public static let json = PostgresType(rawValue: 114)
    /// `real`
    public static let float4 = PostgresType(rawValue: 700)
    /// `double precision`
    public static let float8 = PostgresType(rawValue: 701)
    /// What the server calls `unknown`: a literal without a type.
    public static let literal = PostgresType(rawValue: 705)
    /// `character(n)`
    public static let bpchar = PostgresType(rawValue: 1042)
    /// `character varying`
    public static let varchar = PostgresType(rawValue: 1043)
    /// `timestamp with time zone`
    public static let timestamptz = PostgresType(rawValue: 1184)
    /// `uuid`
    public static let uuid = PostgresType(rawValue: 2950)
    /// `jsonb`
    public static let jsonb = PostgresType(rawValue: 3802)
    /// `boolean[]`
    public static let boolArray = PostgresType(rawValue: 1000)
    /// `smallint[]`
    public static let int2Array = PostgresType(rawValue: 1005)
    /// `integer[]`
    public static let int4Array = PostgresType(rawValue: 1007)
    /// `text[]`
    public static let textArray = PostgresType(rawValue: 1009)
    /// `character varying[]`
    public static let varcharArray = PostgresType(rawValue: 1015)
    /// `bigint[]`
    public static let int8Array = PostgresType(rawValue: 1016)
    /// `real[]`
    public static let float4Array = PostgresType(rawValue: 1021)
    /// `double precision[]`
    public static let float8Array = PostgresType(rawValue: 1022)
    /// `timestamp with time zone[]`
    public static let timestamptzArray = PostgresType(rawValue: 1185)
    /// `uuid[]`
    public static let uuidArray = PostgresType(rawValue: 2951)

    /// The first OID of types that the database defines itself, such as enumerations and domains.
    static let firstUserDefined: UInt32 = 16384
}
