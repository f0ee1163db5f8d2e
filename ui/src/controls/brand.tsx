export function Mark({ size = 26 }: { size?: number }) {
  return <img src="/favicon.svg" width={size} height={size} alt="" />;
}

export function Brand() {
  return (
    <span className="brand">
      <Mark /> Parley
    </span>
  );
}
