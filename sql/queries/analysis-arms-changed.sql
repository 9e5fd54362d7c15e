-- What a step changed of the sums of each arm: rows of units as they are now, less those they replaced.
WITH if(step = {step:UInt32}, 1, -1) AS sign
SELECT variant, /* columns */
FROM analysis_recounts
WHERE workspace = {changed:String}
GROUP BY variant
