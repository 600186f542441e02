"""The style of the page."""

STYLE = """
body{margin:0;background:#f4f5f8;color:#1d2233;font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 24px 40px}
h1{font-size:1.7rem;margin:0 0 .6rem}
h2{font-size:1.2rem;margin:0 0 .4rem}
section{background:#fff;border:1px solid #dde0e8;border-radius:8px;padding:18px 22px;margin:18px 0}
section>p{margin:0 0 .8rem;max-width:80ch;color:#454c63}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:0 0 18px}
dt{color:#5b6278}
dd{margin:0;overflow-wrap:anywhere}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:14px}
.card{background:#fff;border:1px solid #dde0e8;border-radius:8px;padding:14px 18px;display:flex;flex-direction:column}
.card b{font-size:1.9rem;line-height:1.2;font-variant-numeric:tabular-nums}
.card small,figcaption,footer{color:#5b6278}
.row{display:grid;grid-template-columns:repeat(auto-fit,minmax(310px,1fr));gap:20px;align-items:start}
figure{margin:0;min-width:0}
figcaption{font-size:.9rem;text-align:center;margin-top:4px}
svg{width:100%;max-width:560px;height:auto;display:block;margin:0 auto}
img{width:100%;max-width:560px;max-height:620px;object-fit:contain;
 image-rendering:pixelated;display:block;margin:0 auto}
.grid{stroke:#e6e8ef}
.frame{fill:none;stroke:#9aa1b5}
.tick{font-size:11px;fill:#5b6278}
.label{font-size:12px;fill:#1d2233}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.line.anomaly{stroke:#c4502d}
.line.background{stroke:#2b5fa8}
.line.chance{stroke:#9aa1b5;stroke-width:1.2;stroke-dasharray:5 4}
.mark{fill:#c4502d;stroke:#fff;stroke-width:1.5}
.thin{stroke:#9aa1b5;stroke-width:1}
.whisker{stroke-width:2}
.anomaly .whisker,.anomaly .median{stroke:#8c3216}
.background .whisker,.background .median{stroke:#17407a}
.anomaly .box{fill:#f0b9a4;stroke:#8c3216}
.background .box{fill:#b3cdee;stroke:#17407a}
.median{stroke-width:2.5}
.legend{list-style:none;display:flex;flex-wrap:wrap;justify-content:center;gap:4px 16px;
 margin:8px 0 0;padding:0;font-size:.9rem}
.legend i{display:inline-block;width:14px;height:14px;border-radius:3px;margin-right:6px;vertical-align:-2px}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid #e6e8ef;vertical-align:top}
thead th{color:#5b6278;font-weight:600}
tbody th{font-weight:600;white-space:nowrap}
.value{font-variant-numeric:tabular-nums;text-align:right;white-space:nowrap}
footer{font-size:.85rem;margin-top:18px}
@media print{body{background:#fff}section,.card{break-inside:avoid}}
"""
